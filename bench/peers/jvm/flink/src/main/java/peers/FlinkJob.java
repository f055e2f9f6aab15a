package peers;

import java.nio.charset.StandardCharsets;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamUtils;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * The peers' job in Flink, in one local cluster: Kafka source, keyed process function, Kafka sink; heap state, object
 * reuse, a checkpoint every 10 s, at least once.
 *
 * <p>`keyed`: parallelism 2 with a keyBy. `chained`: parallelism 1, where one task has all keys, so that the stream is
 * declared keyed as it comes and no reading is serialized between tasks.
 */
public final class FlinkJob {
    static final class Decode implements KafkaRecordDeserializationSchema<Reading> {
        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Reading> out) {
            Reading reading = Reading.of(record.value());
            if (reading.sensor != null) {
                out.collect(reading);
            }
        }

        @Override
        public TypeInformation<Reading> getProducedType() {
            return Types.POJO(Reading.class);
        }
    }

    static final class Judge extends KeyedProcessFunction<String, Reading, Change> {
        private transient ValueState<Levels> state;

        @Override
        public void open(OpenContext context) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("levels", Levels.class));
        }

        @Override
        public void processElement(Reading reading, Context context, Collector<Change> out) throws Exception {
            Levels levels = state.value();
            if (levels == null) {
                if (Levels.idle(reading.v)) {
                    return;
                }
                levels = new Levels();
            }
            Change change = levels.see(reading);
            if (levels.idle()) {
                state.clear();
            } else {
                state.update(levels);
            }
            if (change != null) {
                out.collect(change);
            }
        }
    }

    static final class Encode implements KafkaRecordSerializationSchema<Change> {
        private final String topic;

        Encode(String topic) {
            this.topic = topic;
        }

        @Override
        public ProducerRecord<byte[], byte[]> serialize(Change change, KafkaSinkContext context, Long timestamp) {
            return new ProducerRecord<>(topic, change.sensor.getBytes(StandardCharsets.UTF_8), change.json());
        }
    }

    public static void main(String[] args) throws Exception {
        boolean chained = args[0].equals("chained");
        Configuration config = new Configuration();
        config.set(StateBackendOptions.STATE_BACKEND, "hashmap");
        config.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        config.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + System.getenv("PEER_STATE"));
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(chained ? 1 : 2, config);
        env.enableCheckpointing(10_000, CheckpointingMode.AT_LEAST_ONCE);
        env.getConfig().enableObjectReuse();
        DataStream<Reading> readings =
                env.fromSource(source(), WatermarkStrategy.noWatermarks(), "readings", Types.POJO(Reading.class));
        KeyedStream<Reading, String> bySensor = chained
                ? DataStreamUtils.reinterpretAsKeyedStream(readings, reading -> reading.sensor, Types.STRING)
                : readings.keyBy(reading -> reading.sensor);
        bySensor.process(new Judge(), Types.POJO(Change.class)).sinkTo(sink()).name("changes");
        env.execute("levels");
    }

    private static KafkaSource<Reading> source() {
        return KafkaSource.<Reading>builder()
                .setBootstrapServers(System.getenv("PEER_BROKER"))
                .setTopics(System.getenv("PEER_INPUT"))
                .setGroupId(System.getenv("PEER_GROUP"))
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setDeserializer(new Decode())
                .setProperty("max.poll.records", "10000")
                .setProperty("max.partition.fetch.bytes", String.valueOf(4 << 20))
                .setProperty("fetch.min.bytes", String.valueOf(64 << 10))
                .build();
    }

    private static KafkaSink<Change> sink() {
        Properties producer = new Properties();
        producer.put("linger.ms", "100");
        producer.put("batch.size", String.valueOf(256 << 10));
        producer.put("compression.type", "lz4");
        return KafkaSink.<Change>builder()
                .setBootstrapServers(System.getenv("PEER_BROKER"))
                .setKafkaProducerConfig(producer)
                .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
                .setRecordSerializer(new Encode(System.getenv("PEER_OUTPUT")))
                .build();
    }
}

package peers;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The peers' job in Kafka Streams, by the Processor API. Levels are in an in-memory store with its changelog; a sensor
 * with nothing going on has no entry, so that the store stays small and a quiet reading writes nothing.
 */
public final class StreamsJob {
    private static final String STORE = "levels";

    static final class Judge implements Processor<byte[], byte[], byte[], byte[]> {
        private ProcessorContext<byte[], byte[]> context;
        private KeyValueStore<String, Levels> store;

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            this.context = context;
            this.store = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            Reading reading = Reading.of(record.value());
            if (reading.sensor == null) {
                return;
            }
            Levels levels = store.get(reading.sensor);
            if (levels == null) {
                if (Levels.idle(reading.v)) {
                    return;
                }
                levels = new Levels();
            }
            Change change = levels.see(reading);
            store.put(reading.sensor, levels.idle() ? null : levels);
            if (change != null) {
                byte[] key = reading.sensor.getBytes(StandardCharsets.UTF_8);
                context.forward(new Record<>(key, change.json(), record.timestamp()));
            }
        }
    }

    private static Serde<Levels> serde() {
        return Serdes.serdeFrom(
                (topic, levels) -> levels == null ? null : ByteBuffer.allocate(36)
                        .putInt(levels.level).putLong(levels.yellow).putLong(levels.orange)
                        .putLong(levels.red).putLong(levels.clear).array(),
                (topic, bytes) -> {
                    if (bytes == null) {
                        return null;
                    }
                    ByteBuffer in = ByteBuffer.wrap(bytes);
                    Levels levels = new Levels();
                    levels.level = in.getInt();
                    levels.yellow = in.getLong();
                    levels.orange = in.getLong();
                    levels.red = in.getLong();
                    levels.clear = in.getLong();
                    return levels;
                });
    }

    private static Topology topology(String input, String output) {
        StoreBuilder<KeyValueStore<String, Levels>> store = Stores.keyValueStoreBuilder(
                Stores.inMemoryKeyValueStore(STORE), Serdes.String(), serde());
        return new Topology()
                .addSource("readings", new ByteArrayDeserializer(), new ByteArrayDeserializer(), input)
                .addProcessor("judge", Judge::new, "readings")
                .addStateStore(store, "judge")
                .addSink("changes", output, new ByteArraySerializer(), new ByteArraySerializer(), "judge");
    }

    public static void main(String[] args) throws InterruptedException {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("PEER_GROUP"));
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("PEER_BROKER"));
        config.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("PEER_STATE"));
        config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
        config.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000);
        config.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        config.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
        config.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MIN_BYTES_CONFIG), 64 << 10);
        config.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 100);
        config.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
        config.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        KafkaStreams streams =
                new KafkaStreams(topology(System.getenv("PEER_INPUT"), System.getenv("PEER_OUTPUT")), config);
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close();
            ended.countDown();
        }));
        streams.start();
        ended.await();
    }
}

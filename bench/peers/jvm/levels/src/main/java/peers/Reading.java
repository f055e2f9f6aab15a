package peers;

import com.alibaba.fastjson2.JSONFactory;
import com.alibaba.fastjson2.JSONReader;
import com.alibaba.fastjson2.reader.ObjectReader;
import java.nio.charset.StandardCharsets;

/** What the job needs of a reading; other fields are skipped. Plan and tick records of the log have no sensor. */
public final class Reading {
    public String sensor;
    public String kind;
    public long t;
    public double v;
    public double lon = Double.NaN;
    public double lat = Double.NaN;

    private static final ObjectReader<Reading> READER =
            JSONFactory.getDefaultObjectReaderProvider().getObjectReader(Reading.class);
    private static final JSONReader.Context CONTEXT = JSONFactory.createReadContext();

    public static Reading of(byte[] json) {
        try (JSONReader reader = JSONReader.of(json, 0, json.length, StandardCharsets.UTF_8, CONTEXT)) {
            return READER.readObject(reader, Reading.class, null, 0);
        }
    }
}

package peers;

import com.alibaba.fastjson2.JSON;

/** One change, as it is written to the output topic; what is null is left out. */
public final class Change {
    public String sensor;
    public String kind;
    public String change;
    public String level;
    public String previous;
    public long t;
    public Long since;
    public double value;
    public Double lon;
    public Double lat;

    public byte[] json() {
        return JSON.toJSONBytes(this);
    }
}

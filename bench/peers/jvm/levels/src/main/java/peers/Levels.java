package peers;

/** One sensor's levels with hold and hysteresis (../README.md). Times are 0 when unset; an idle sensor needs no state. */
public final class Levels {
    private static final String[] NAME = {null, "yellow", "orange", "red"};
    private static final double[] SET = {0, 10, 25, 50};
    private static final double[] CLEAR = {0, 8, 20, 40};
    private static final long[] FOR_MS = {0, 60_000, 30_000, 0};
    private static final long CLEAR_FOR_MS = 120_000;

    public int level;
    public long yellow;
    public long orange;
    public long red;
    public long clear;

    /** Whether a sensor without state stays so after this reading. */
    public static boolean idle(double v) {
        return v < SET[1];
    }

    /** Whether nothing is going on any more. */
    public boolean idle() {
        return level == 0 && yellow == 0;
    }

    /** Step by one reading; returns the change it makes, or null. */
    public Change see(Reading reading) {
        double x = reading.v;
        long t = reading.t;
        yellow = x >= SET[1] ? (yellow != 0 ? yellow : t) : 0;
        orange = x >= SET[2] ? (orange != 0 ? orange : t) : 0;
        red = x >= SET[3] ? (red != 0 ? red : t) : 0;
        int before = level;
        int reached = reached(t);
        if (reached > before) {
            level = reached;
            clear = 0;
            return change(before == 0 ? "raised" : "escalated", reading, before);
        }
        if (before == 0) {
            return null;
        }
        if (x >= CLEAR[before]) {
            clear = 0;
            return null;
        }
        clear = clear != 0 ? clear : t;
        if (t - clear < CLEAR_FOR_MS) {
            return null;
        }
        int after = before - 1;
        while (after > 0 && x < CLEAR[after]) {
            after--;
        }
        level = after;
        clear = 0;
        return change(after == 0 ? "cleared" : "downgraded", reading, before);
    }

    private int reached(long t) {
        for (int one = 3; one > 0; one--) {
            long since = since(one);
            if (since != 0 && t - since >= FOR_MS[one]) {
                return one;
            }
        }
        return 0;
    }

    private long since(int one) {
        return one == 3 ? red : one == 2 ? orange : one == 1 ? yellow : 0;
    }

    private Change change(String what, Reading reading, int before) {
        Change change = new Change();
        change.sensor = reading.sensor;
        change.kind = reading.kind;
        change.change = what;
        change.level = NAME[level];
        change.previous = NAME[before];
        change.t = reading.t;
        change.since = since(level) == 0 ? null : since(level);
        change.value = reading.v;
        change.lon = Double.isNaN(reading.lon) ? null : reading.lon;
        change.lat = Double.isNaN(reading.lat) ? null : reading.lat;
        return change;
    }
}

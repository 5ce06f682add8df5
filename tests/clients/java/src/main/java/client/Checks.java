package client;

import java.util.Arrays;
import java.util.HexFormat;
import java.util.concurrent.atomic.AtomicInteger;

/** What was checked is counted; the first check that fails ends the program. */
final class Checks {
    private static final AtomicInteger MADE = new AtomicInteger();

    private Checks() {}

    interface Action {
        void run() throws Exception;
    }

    static int made() {
        return MADE.get();
    }

    static void holds(String what, boolean holds) {
        if (!holds) {
            throw new AssertionError(what);
        }
        MADE.incrementAndGet();
    }

    static void same(String what, byte[] expected, byte[] found) {
        HexFormat hex = HexFormat.of();
        holds(what + ": " + hex.formatHex(expected) + " is not " + hex.formatHex(found), Arrays.equals(expected, found));
    }

    static void refused(String what, Class<? extends Exception> how, Action action) {
        try {
            action.run();
        } catch (Exception why) {
            if (!how.isInstance(why)) {
                throw new AssertionError(what, why);
            }
            MADE.incrementAndGet();
            return;
        }
        throw new AssertionError(what + " is not refused");
    }
}

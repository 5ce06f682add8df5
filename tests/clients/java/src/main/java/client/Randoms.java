package client;

import java.security.SecureRandom;
import java.util.BitSet;
import java.util.HashSet;
import java.util.Set;

/** The token's generator gives bytes that differ, and about as many ones as zeros. */
final class Randoms {
    private Randoms() {}

    static void check(Token token) throws Exception {
        SecureRandom random = SecureRandom.getInstance("PKCS11", token.provider());
        random.setSeed(new byte[32]);
        Set<BitSet> seen = new HashSet<>();
        for (int time = 0; time < 1000; time++) {
            byte[] bytes = new byte[16];
            random.nextBytes(bytes);
            seen.add(BitSet.valueOf(bytes));
        }
        Checks.holds("a thousand times other bytes", seen.size() == 1000);
        // 64,000 are expected, with a deviation of 179: it is outside once in some 10^27 runs.
        int ones = seen.stream().mapToInt(BitSet::cardinality).sum();
        Checks.holds(ones + " bits are ones", Math.abs(ones - 64_000) < 2_000);
        Checks.holds("a seed for others", random.generateSeed(20).length == 20);
    }
}

// Reads PostgreSQL slots with Debezium's embedded engine: to print its JSON lines, or to time it.
// Arguments: output file ("-" for none), number of events to wait for (0: until a logical message of prefix "done"),
// then Debezium's own properties as key=value; those of a further engine, which reads another slot side by side, follow
// after "--". Ends with one JSON line of what all have read and how fast.
// JSON values are built, as a consumer would receive them, and dropped when there is no output file.
import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

public class DebeziumCapture {
    private final PrintStream lines;
    private final long expected;
    private final CountDownLatch done = new CountDownLatch(1);
    private long events;
    private long bytes;
    private long firstAt;
    private long lastAt;

    DebeziumCapture(PrintStream lines, long expected) {
        this.lines = lines;
        this.expected = expected;
    }

    synchronized void take(
            List<ChangeEvent<String, String>> records,
            DebeziumEngine.RecordCommitter<ChangeEvent<String, String>> committer) throws InterruptedException {
        if (firstAt == 0) {
            firstAt = System.nanoTime();
        }
        for (ChangeEvent<String, String> record : records) {
            if (record.value() != null) {
                takeValue(record.value());
            }
            committer.markProcessed(record);
        }
        committer.markBatchFinished();
        events += records.size();
        lastAt = System.nanoTime();
        if (expected > 0 && events >= expected) {
            done.countDown();
        }
    }

    private void takeValue(String value) {
        bytes += value.length();
        if (lines != null) {
            lines.println(value);
            if (value.contains("\"message\":{\"prefix\":\"done\"")) {
                done.countDown();
            }
        }
    }

    static List<Properties> engines(String[] arguments) {
        List<Properties> engines = new ArrayList<>();
        for (int from = 2, to = from; from < arguments.length; from = to + 1) {
            for (to = from; to < arguments.length && !arguments[to].equals("--"); to++) {
            }
            engines.add(properties(Arrays.copyOfRange(arguments, from, to)));
        }
        return engines;
    }

    static Properties properties(String[] arguments) {
        Properties properties = new Properties();
        properties.setProperty("connector.class", "io.debezium.connector.postgresql.PostgresConnector");
        properties.setProperty("offset.storage", "org.apache.kafka.connect.storage.MemoryOffsetBackingStore");
        properties.setProperty("plugin.name", "pgoutput");
        properties.setProperty("publication.autocreate.mode", "disabled");
        properties.setProperty("slot.drop.on.stop", "false");
        properties.setProperty("key.converter.schemas.enable", "false");
        properties.setProperty("value.converter.schemas.enable", "false");
        for (String argument : arguments) {
            String[] pair = argument.split("=", 2);
            properties.setProperty(pair[0], pair[1]);
        }
        return properties;
    }

    static PrintStream open(String output) throws IOException {
        if (output.equals("-")) {
            return null;
        }
        OutputStream stream = Files.newOutputStream(Path.of(output));
        return new PrintStream(stream, false, "UTF-8");
    }

    String summary(boolean complete) {
        return String.format("{\"events\": %d, \"complete\": %b, \"json_bytes\": %d, \"seconds\": %.3f}",
            events, complete, bytes, (lastAt - firstAt) / 1e9);
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream lines = open(arguments[0]);
        DebeziumCapture capture = new DebeziumCapture(lines, Long.parseLong(arguments[1]));
        for (Properties properties : engines(arguments)) {
            DebeziumEngine<ChangeEvent<String, String>> engine =
                DebeziumEngine.create(Json.class).using(properties).notifying(capture::take).build();
            Thread thread = new Thread(engine);
            thread.setDaemon(true);
            thread.start();
        }
        boolean complete = capture.done.await(Long.getLong("limit", 300), TimeUnit.SECONDS);
        if (lines != null) {
            lines.close();
        }
        System.out.println(capture.summary(complete));
        System.out.flush();
        Runtime.getRuntime().halt(complete ? 0 : 1);
    }
}

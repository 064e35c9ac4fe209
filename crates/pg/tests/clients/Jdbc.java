import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Properties;
import java.util.Set;

/** What tools over JDBC do: they look at the catalog, read rows a few at a time, bind values. */
public class Jdbc {
    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Properties who = new Properties();
        who.setProperty("user", "local@AdobeOrg");
        who.setProperty("password", "any");
        String url = "jdbc:postgresql://127.0.0.1:" + arguments[0] + "/prod:all";
        try (Connection connection = DriverManager.getConnection(url, who)) {
            metadata(connection.getMetaData());
            rows(connection);
            values(connection);
        }
    }

    static void metadata(DatabaseMetaData about) throws SQLException {
        check(about.getDatabaseProductName().equals("PostgreSQL"), about.getDatabaseProductName());
        Set<String> tables = new HashSet<>();
        try (ResultSet found = about.getTables(null, "public", "%", new String[] {"TABLE"})) {
            while (found.next()) {
                tables.add(found.getString("TABLE_NAME"));
            }
        }
        check(tables.contains("profile_snapshot_export"), "tables: " + tables);
        Map<String, String> columns = new HashMap<>();
        try (ResultSet found = about.getColumns(null, "public", "system_jobs", "%")) {
            while (found.next()) {
                columns.put(found.getString("COLUMN_NAME"), found.getString("TYPE_NAME"));
            }
        }
        check("int8".equals(columns.get("id")) && "timestamp".equals(columns.get("created")), "columns: " + columns);
        Set<String> schemas = new HashSet<>();
        try (ResultSet found = about.getSchemas()) {
            while (found.next()) {
                schemas.add(found.getString("TABLE_SCHEM"));
            }
        }
        check(schemas.contains("public"), "schemas: " + schemas);
        try (ResultSet found = about.getPrimaryKeys(null, "public", "system_jobs")) {
            check(!found.next(), "a primary key");
        }
        try (ResultSet found = about.getImportedKeys(null, "public", "system_jobs")) {
            check(!found.next(), "a foreign key");
        }
        try (ResultSet found = about.getIndexInfo(null, "public", "system_jobs", false, false)) {
            check(!found.next(), "an index");
        }
    }

    static void rows(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(2);
            int sum = 0;
            try (ResultSet found = statement.executeQuery("SELECT explode(array(1, 2, 3, 4, 5)) AS n")) {
                while (found.next()) {
                    sum += found.getInt("n");
                }
            }
            check(sum == 15, "sum " + sum);
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    static void values(Connection connection) throws SQLException {
        String text = "SELECT ? AS t, cast(? AS bigint) AS n, cast(? AS double) AS d, cast(? AS boolean) AS b";
        try (PreparedStatement statement = connection.prepareStatement(text)) {
            // From the fifth time on the driver keeps the statement, and asks for binary.
            for (int i = 0; i < 8; i++) {
                statement.setString(1, "it's \\ \u00e4");
                statement.setLong(2, 40 + i);
                statement.setDouble(3, 0.5);
                statement.setBoolean(4, true);
                try (ResultSet found = statement.executeQuery()) {
                    check(found.next(), "a row");
                    check(found.getString(1).equals("it's \\ \u00e4"), found.getString(1));
                    check(found.getLong(2) == 40 + i && found.getDouble(3) == 0.5 && found.getBoolean(4), "values");
                }
            }
        }
        try (Statement statement = connection.createStatement()) {
            statement.executeQuery("SELECT * FROM nowhere");
            throw new AssertionError("nowhere is a table");
        } catch (SQLException error) {
            check("42P01".equals(error.getSQLState()), error.getSQLState());
        }
    }
}

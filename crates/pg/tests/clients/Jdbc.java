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
        // Behind the address: properties of the connection.
        for (int i = 1; i < arguments.length; i++) {
            String[] pair = arguments[i].split("=", 2);
            who.setProperty(pair[0], pair[1]);
        }
        String url = "jdbc:postgresql://" + arguments[0] + "/prod:all";
        try (Connection connection = DriverManager.getConnection(url, who)) {
            metadata(connection.getMetaData());
            everythingElse(connection.getMetaData());
            dbeaver(connection);
            rows(connection);
            values(connection);
            lists(connection);
            savepoints(connection);
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

    /** What there is nothing of gives no rows, and what PostgreSQL has of itself gives some. */
    static void everythingElse(DatabaseMetaData about) throws SQLException {
        String table = "system_jobs";
        check(about.getUserName().equals("local@AdobeOrg"), about.getUserName());
        check(about.getMaxColumnNameLength() == 63, "the length of names");
        some("types", about.getTypeInfo());
        some("kinds of tables", about.getTableTypes());
        some("catalogs", about.getCatalogs());
        some("functions", about.getClientInfoProperties());
        none("exported keys", about.getExportedKeys(null, "public", table));
        none("cross references", about.getCrossReference(null, "public", table, null, "public", "system_batches"));
        none("best rows", about.getBestRowIdentifier(null, "public", table, DatabaseMetaData.bestRowSession, true));
        some("version columns", about.getVersionColumns(null, "public", table));
        none("types of users", about.getUDTs(null, "public", "nothing", null));
        check(about.getSQLKeywords().length() > 0, "keywords");
        Set<String> parts = new HashSet<>();
        try (ResultSet found = about.getColumns(null, null, "profile_snapshot_export_personalemail", "%")) {
            while (found.next()) {
                parts.add(found.getString("COLUMN_NAME"));
            }
        }
        check(parts.isEmpty() || parts.contains("address"), "parts: " + parts);
        about.getTablePrivileges(null, "public", table).close();
        about.getColumnPrivileges(null, "public", table, "%").close();
        about.getFunctions(null, null, "%").close();
        about.getProcedures(null, null, "%").close();
    }

    static void some(String what, ResultSet found) throws SQLException {
        check(found.next(), "no " + what);
        found.close();
    }

    static void none(String what, ResultSet found) throws SQLException {
        check(!found.next(), what);
        found.close();
    }

    /** What DBeaver asks as it connects and as a schema, a table and its parts are opened. */
    static void dbeaver(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("SET extra_float_digits = 3");
            statement.execute("SET application_name = 'DBeaver - Metadata'");
            String[] all = {
                "SELECT version()",
                "SELECT current_schema(),session_user",
                "SHOW search_path",
                "SELECT db.oid,db.* FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate ORDER BY db.datname",
                "SELECT * FROM pg_catalog.pg_settings WHERE name='standard_conforming_strings'",
                "SELECT t.typcategory FROM pg_catalog.pg_type t LIMIT 1",
                "SELECT n.oid,n.*,d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d"
                    + " ON d.objoid=n.oid AND d.objsubid=0 AND d.classoid='pg_namespace'::regclass ORDER BY nspname",
                "SELECT a.oid,a.* FROM pg_catalog.pg_roles a ORDER BY a.oid",
                "SELECT t.oid,t.*,c.relkind,format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name, d.description"
                    + " FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid=t.typelem"
                    + " LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid=t.typrelid"
                    + " LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid=d.objoid"
                    + " WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c')"
                    + " AND (et.typcategory IS NULL OR et.typcategory <> 'C')",
            };
            for (String one : all) {
                some(one, statement.executeQuery(one));
            }
            statement.executeQuery("SELECT e.oid,e.* FROM pg_catalog.pg_enum e ORDER BY e.oid").close();
        }
        long schema = one(connection, "SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ?", "public");
        long table = one(connection, "SELECT oid FROM pg_catalog.pg_class WHERE relname = ?", "system_jobs");
        some("tables", asked(connection,
            "SELECT c.oid,c.*,d.description FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description d"
                + " ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_class'::regclass"
                + " WHERE c.relnamespace=? AND c.relkind not in ('i','I','c')", schema));
        some("sizes", asked(connection,
            "select c.oid,pg_catalog.pg_total_relation_size(c.oid) as total_rel_size,pg_catalog.pg_relation_size(c.oid) as rel_size"
                + " FROM pg_class c WHERE c.relnamespace=?", schema));
        some("columns", asked(connection,
            "SELECT c.relname,a.*,pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value,dsc.description,dep.objid"
                + " FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid=c.oid)"
                + " LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid=ad.adrelid AND a.attnum = ad.adnum)"
                + " LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid)"
                + " LEFT OUTER JOIN pg_depend dep on dep.refobjid = a.attrelid AND dep.deptype = 'i' and dep.refobjsubid = a.attnum"
                + " and dep.classid = dep.refclassid WHERE NOT a.attisdropped AND c.oid=? ORDER BY a.attnum", table));
        none("constraints", asked(connection,
            "SELECT c.oid,c.*,t.relname as tabrelname,rt.relnamespace as refnamespace,d.description"
                + " FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid=c.conrelid"
                + " LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid=c.confrelid"
                + " LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0"
                + " AND d.classoid='pg_constraint'::regclass WHERE c.conrelid=? ORDER BY c.oid", table));
        none("indexes", asked(connection,
            "SELECT i.*,i.indkey as keys,c.relname,c.relnamespace,c.relam,c.reltablespace,tc.relname as tabrelname,dsc.description,"
                + "pg_catalog.pg_get_expr(i.indpred, i.indrelid) as pred_expr,pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) as expr,"
                + "pg_catalog.pg_relation_size(i.indexrelid) as index_rel_size,"
                + "pg_catalog.pg_stat_get_numscans(i.indexrelid) as index_num_scans"
                + " FROM pg_catalog.pg_index i INNER JOIN pg_catalog.pg_class c ON c.oid=i.indexrelid"
                + " INNER JOIN pg_catalog.pg_class tc ON tc.oid=i.indrelid"
                + " LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid=dsc.objoid"
                + " WHERE i.indrelid=? ORDER BY tabrelname, c.relname", table));
        none("triggers", asked(connection,
            "SELECT x.oid,x.*,p.pronamespace as func_schema_id,d.description FROM pg_catalog.pg_trigger x"
                + " LEFT OUTER JOIN pg_catalog.pg_proc p ON p.oid=x.tgfoid"
                + " LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=x.oid AND d.objsubid=0"
                + " WHERE x.tgrelid=? AND NOT x.tgisinternal", table));
        none("parents", asked(connection,
            "SELECT i.*,c.relnamespace FROM pg_catalog.pg_inherits i,pg_catalog.pg_class c"
                + " WHERE i.inhrelid=? AND c.oid=i.inhparent ORDER BY i.inhseqno", table));
        asked(connection, "SELECT p.oid,p.*,d.description FROM pg_catalog.pg_proc p LEFT OUTER JOIN pg_catalog.pg_description d"
            + " ON d.objoid=p.oid WHERE p.pronamespace=? ORDER BY p.proname", schema).close();
    }

    static ResultSet asked(Connection connection, String text, long oid) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(text);
        statement.closeOnCompletion();
        statement.setLong(1, oid);
        return statement.executeQuery();
    }

    static long one(Connection connection, String text, String name) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(text)) {
            statement.setString(1, name);
            try (ResultSet found = statement.executeQuery()) {
                check(found.next(), text);
                return found.getLong(1);
            }
        }
    }

    /** From the fifth time on in binary. */
    static void lists(Connection connection) throws SQLException {
        String text = "SELECT sum(n) FROM (SELECT explode(array(1, 2, 3)) AS n) WHERE n = ANY(?) AND 'a' = ANY(?)";
        try (PreparedStatement statement = connection.prepareStatement(text)) {
            for (int i = 0; i < 8; i++) {
                statement.setArray(1, connection.createArrayOf("bigint", new Long[] {1L, 3L, null}));
                statement.setArray(2, connection.createArrayOf("text", new String[] {"a", "it's"}));
                try (ResultSet found = statement.executeQuery()) {
                    check(found.next() && found.getLong(1) == 4, "the sum of a list");
                }
            }
        }
    }

    static void savepoints(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            java.sql.Savepoint first = connection.setSavepoint();
            java.sql.Savepoint named = connection.setSavepoint("Of mine");
            statement.execute("SELECT 1");
            connection.rollback(named);
            connection.releaseSavepoint(first);
        }
        connection.commit();
        connection.setAutoCommit(true);
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

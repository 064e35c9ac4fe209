"""Savepoints, as clients that nest transactions send them."""
import psycopg
import pytest
import sqlalchemy

from conftest import ORG


@pytest.fixture
def connection(server):
    with psycopg.connect(host="127.0.0.1", port=server.port, user=ORG, dbname="prod:all") as connection:
        yield connection


def shown(connection, name):
    return connection.execute(f"SHOW {name}").fetchone()[0]


def test_psycopg_nests_transactions(connection):
    with connection.transaction():
        with connection.transaction():
            connection.execute("SET auto_to_json = on")
        assert shown(connection, "auto_to_json") == "on"
        with pytest.raises(psycopg.errors.UndefinedTable), connection.transaction():
            connection.execute("SET auto_to_json = off")
            connection.execute("SELECT * FROM nowhere")
        # What was set since is taken back with it.
        assert shown(connection, "auto_to_json") == "on"
        with connection.transaction() as inner:
            connection.execute("SET LOCAL statement_timeout = '5s'")
            raise psycopg.Rollback(inner)
        assert shown(connection, "statement_timeout") == "0"
    assert shown(connection, "auto_to_json") == "on"


def test_sqlalchemy_nests_transactions(server):
    for driver in ["postgresql+psycopg2", "postgresql+psycopg"]:
        engine = sqlalchemy.create_engine(server.url(driver))
        with engine.connect() as connection, connection.begin():
            with connection.begin_nested():
                assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1
            with connection.begin_nested() as inner:
                inner.rollback()
            assert connection.execute(sqlalchemy.text("SELECT 2")).scalar() == 2
        engine.dispose()


def test_what_was_written_since_a_savepoint_stays_and_is_told(connection):
    connection.execute("CREATE TABLE before_it AS SELECT 1 AS one")
    connection.execute("SAVEPOINT a")
    # Nothing was written since.
    connection.execute("ROLLBACK TO a")
    connection.execute("CREATE TABLE behind_it AS SELECT 1 AS one")
    connection.execute("SAVEPOINT b")
    connection.execute("ROLLBACK TO b")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="SAVEPOINT a stays"):
        connection.execute("ROLLBACK TO a")
    connection.execute("RELEASE a")
    connection.execute("DROP TABLE before_it, behind_it")
    connection.commit()


def test_only_what_is_written_into_the_store_stays_and_is_told(connection):
    connection.execute("SAVEPOINT a")
    connection.execute("DROP TABLE IF EXISTS nothing")
    connection.execute("CREATE TEMP TABLE own AS SELECT 1 AS one")
    connection.execute("DROP TABLE own")
    connection.execute("ROLLBACK TO a")


def test_a_savepoint_has_its_name_until_it_is_released(connection):
    connection.execute("SAVEPOINT a")
    connection.execute('SAVEPOINT "A"')
    connection.execute("SAVEPOINT a")
    connection.execute("RELEASE SAVEPOINT A")
    connection.execute("ROLLBACK TO SAVEPOINT a")
    # It took those behind it along.
    with pytest.raises(psycopg.errors.InvalidSavepointSpecification):
        connection.execute('ROLLBACK TO "A"')
    connection.execute("RELEASE a")
    with pytest.raises(psycopg.errors.InvalidSavepointSpecification):
        connection.execute("RELEASE a")
    connection.rollback()
    connection.autocommit = True
    for statement in ["SAVEPOINT a", "RELEASE a", "ROLLBACK TO a"]:
        with pytest.raises(psycopg.errors.NoActiveSqlTransaction):
            connection.execute(statement)


def test_a_rollback_takes_settings_back(connection):
    told = connection.info.parameter_status
    connection.execute("SET application_name = 'kept'")
    connection.commit()
    connection.execute("SET application_name = 'not kept'")
    connection.execute("SET auto_to_json = on")
    assert told("application_name") == "not kept"
    connection.rollback()
    assert told("application_name") == "kept" and shown(connection, "auto_to_json") == "off"
    with pytest.raises(psycopg.errors.ActiveSqlTransaction):
        connection.execute("DISCARD ALL")
    connection.rollback()
    connection.autocommit = True
    connection.execute("DISCARD ALL")
    assert told("application_name") == ""


def test_what_is_set_for_the_session_outlives_what_is_set_for_a_transaction(connection):
    connection.execute("SET LOCAL statement_timeout = '5s'")
    connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    connection.commit()
    assert shown(connection, "statement_timeout") == "0"
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("CREATE TABLE never_kept AS SELECT 1 AS one")


def test_a_transaction_that_only_reads_stays_so_when_all_settings_are_reset(connection):
    connection.execute("SET TRANSACTION READ ONLY")
    connection.execute("SET auto_to_json = on")
    connection.execute("RESET ALL")
    assert shown(connection, "transaction_read_only") == "on" and shown(connection, "auto_to_json") == "off"
    connection.commit()
    connection.autocommit = True
    notices = []
    connection.add_notice_handler(lambda notice: notices.append(notice.sqlstate))
    connection.execute("SET transaction_read_only = on")
    assert notices == ["25P01"] and shown(connection, "transaction_read_only") == "off"


def test_settings_go_back_to_what_a_client_came_in_with(server):
    options = "-c default_transaction_read_only=on -c statement_timeout=5s"
    with psycopg.connect(host="127.0.0.1", port=server.port, user=ORG, dbname="prod:all", options=options,
                         autocommit=True) as connection:
        for statement in ["RESET statement_timeout", "RESET ALL", "DISCARD ALL"]:
            connection.execute("SET statement_timeout = 0")
            connection.execute(statement)
            assert shown(connection, "statement_timeout") == "5000"
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("CREATE TABLE never_kept AS SELECT 1 AS one")


def test_a_setting_is_no_long_text(connection):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="application_name"):
        connection.execute(f"SET application_name = '{'x' * 1025}'")

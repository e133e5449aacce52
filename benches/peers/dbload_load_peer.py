"""Loads users once and prints one JSON object: what a peer of `dbload_load.py` does in a process.

The server is that of DATABASE_URL. The rows are Python objects in memory before the clock starts, which stops when all is
committed. The connection is made and the tables are created within the time.
"""

import argparse
import importlib.metadata
import json
import os
import resource
import time
import uuid

COLUMNS = {
    "users_tbl": ["id", "uid"],
    "user_info_tbl": ["id", "uid", "name", "age", "gender"],
    "user_profile_tbl": ["id", "uid", "nickname", "pic"],
}
TYPES = {"id": "int4", "uid": "uuid", "name": "varchar", "age": "int2", "nickname": "varchar", "pic": "varchar"}

TABLES = """
CREATE TYPE {s}.gender AS ENUM ('male', 'female');
CREATE TABLE {s}.users_tbl (id integer NOT NULL, uid uuid NOT NULL);
CREATE TABLE {s}.user_info_tbl (
    id integer NOT NULL, uid uuid NOT NULL, name varchar(50) COLLATE "C" NOT NULL, age smallint NOT NULL, gender {s}.gender NOT NULL);
CREATE TABLE {s}.user_profile_tbl (
    id integer NOT NULL, uid uuid NOT NULL, nickname varchar(50) COLLATE "C" NOT NULL, pic varchar(256) COLLATE "C");
"""
KEYS = """
ALTER TABLE {s}.users_tbl ADD PRIMARY KEY (id), ADD UNIQUE (uid);
ALTER TABLE {s}.user_info_tbl ADD PRIMARY KEY (id), ADD UNIQUE (uid), ADD UNIQUE (name), ADD CHECK (age BETWEEN 20 AND 60),
    ADD FOREIGN KEY (uid) REFERENCES {s}.users_tbl (uid);
ALTER TABLE {s}.user_profile_tbl ADD PRIMARY KEY (id), ADD UNIQUE (uid), ADD FOREIGN KEY (uid) REFERENCES {s}.users_tbl (uid);
"""


def rows_of(path):
    """The rows of the three tables, from a file of `COPY … TO STDOUT`."""
    tables = {name: [] for name in COLUMNS}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            number, uid, name, age, gender, nickname, pic = line.rstrip("\n").split("\t")
            number, uid = int(number), uuid.UUID(uid)
            tables["users_tbl"].append((number, uid))
            tables["user_info_tbl"].append((number, uid, name, int(age), gender))
            tables["user_profile_tbl"].append((number, uid, nickname, None if pic == r"\N" else pic))
    return tables


def sqlalchemy(url, schema, tables, batch):
    import sqlalchemy as sa

    metadata = sa.MetaData(schema=schema)
    text = lambda length: sa.String(length, collation="C")
    ids = lambda *uid: (sa.Column("id", sa.Integer, primary_key=True, autoincrement=False), sa.Column("uid", sa.Uuid, *uid, unique=True, nullable=False))
    user = lambda: sa.ForeignKey(f"{schema}.users_tbl.uid")
    gender = sa.Enum("male", "female", name="gender", schema=schema)
    sa.Table("users_tbl", metadata, *ids())
    sa.Table(
        "user_info_tbl",
        metadata,
        *ids(user()),
        sa.Column("name", text(50), unique=True, nullable=False),
        sa.Column("age", sa.SmallInteger, sa.CheckConstraint("age BETWEEN 20 AND 60"), nullable=False),
        sa.Column("gender", gender, nullable=False),
    )
    sa.Table("user_profile_tbl", metadata, *ids(user()), sa.Column("nickname", text(50), nullable=False), sa.Column("pic", text(256)))
    # What an application has at hand.
    dicts = {name: [dict(zip(COLUMNS[name], row)) for row in rows] for name, rows in tables.items()}

    def load():
        engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema(schema))
        metadata.create_all(engine)
        for first in range(0, len(dicts["users_tbl"]), batch):
            with engine.begin() as connection:
                for name, rows in dicts.items():
                    connection.execute(sa.insert(metadata.tables[f"{schema}.{name}"]), rows[first : first + batch])
        engine.dispose()

    return load


def psycopg_copy(url, schema, tables, batch):
    """The way of psycopg's documentation, into tables as an application finds them."""
    import psycopg

    def load():
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {schema};" + (TABLES + KEYS).format(s=schema))
            for name, rows in tables.items():
                with cursor.copy(f"COPY {schema}.{name} ({', '.join(COLUMNS[name])}) FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)

    return load


def psycopg_binary(url, schema, tables, batch):
    """All that can be done about it: binary, frozen, into bare tables, keys afterwards, one transaction."""
    import psycopg

    def load():
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {schema};" + TABLES.format(s=schema))
            for name, rows in tables.items():
                columns = COLUMNS[name]
                with cursor.copy(f"COPY {schema}.{name} ({', '.join(columns)}) FROM STDIN WITH (FORMAT binary, FREEZE)") as copy:
                    # The wire's form of an enum is that of a text.
                    copy.set_types([TYPES.get(column, "text") for column in columns])
                    for row in rows:
                        copy.write_row(row)
            cursor.execute(KEYS.format(s=schema))

    return load


PEERS = {
    "SQLAlchemy": (sqlalchemy, ["SQLAlchemy", "psycopg"]),
    "psycopg COPY": (psycopg_copy, ["psycopg"]),
    "psycopg COPY, keys last": (psycopg_binary, ["psycopg"]),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("rows", nargs="?", help="the file with the users; only the version without it")
    parser.add_argument("--schema")
    parser.add_argument("--batch", type=int, default=1000)
    args = parser.parse_args()
    make, packages = PEERS[args.peer]
    versions = {package: importlib.metadata.version(package) for package in packages}
    if not args.rows:
        import psycopg

        print(json.dumps({"version": ", ".join(f"{name} {version}" for name, version in versions.items()), "implementation": psycopg.pq.__impl__}))
        return
    url = os.environ["DATABASE_URL"]
    tables = rows_of(args.rows)
    # What is loaded lazily is loaded now.
    make(url, f"{args.schema}_warm", {name: rows[:1000] for name, rows in tables.items()}, args.batch)()
    load = make(url, args.schema, tables, args.batch)
    cpu_s, start = time.process_time(), time.perf_counter()
    load()
    seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu_s
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "cpu_s": cpu_s, "memory_bytes": peak}))


if __name__ == "__main__":
    main()

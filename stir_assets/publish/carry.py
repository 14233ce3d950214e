"""What hangs off the live table goes with its name to the new version: captured, rebuilt, compared.

Nothing that depends on the table may be lost or silently read old data. What cannot be carried (it follows the
table's identity, not its name) is found before anything is exported, and refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import sql

from stir_assets.publish.carry_sql import BLOCKERS, CAPTURE, COLUMN_USERS
from stir_assets.publish.ddl import versioned
from stir_assets.publish.postgres import Connection, qualified, raw

Captured = dict[str, Any]

_COMMANDS = {"r": "select", "a": "insert", "w": "update", "d": "delete", "*": "all"}
_STORAGE = {"p": "plain", "e": "external", "m": "main", "x": "extended"}
_COMPRESSION = {"p": "pglz", "l": "lz4"}
_TRIGGER_STATE = {"D": "disable", "R": "enable replica", "A": "enable always"}


def capture(connection: Connection, oid: int) -> tuple[Captured, str]:
    """Everything that hangs off a relation, as plain data, and the digest of it that `fingerprint_query` computes."""
    row = connection.execute(
        sql.SQL("select found.doc, pg_catalog.md5(found.doc::text) from ({}) as found(doc)").format(
            _query(oid)
        )
    ).fetchone()
    assert row is not None  # noqa: S101 - a select without FROM has one row
    return row[0], row[1]


def fingerprint_query(oid: int) -> sql.Composed:
    """SQL for a digest of the capture, to be compared inside the swap, under its locks."""
    return sql.SQL("(select pg_catalog.md5(({})::text))").format(_query(oid))


def _query(oid: int) -> sql.SQL:
    return raw(CAPTURE.replace("%(oid)s", str(int(oid))).strip())


def blocking_objects(connection: Connection, oid: int) -> list[str]:
    """Dependent objects that a rename cannot carry."""
    return [row[0] for row in connection.execute(BLOCKERS, {"oid": oid}).fetchall()]


def column_users(
    connection: Connection, oid: int, columns: Sequence[str], ours: Sequence[str], *, own_only: bool
) -> list[str]:
    """What uses one of `columns` of a relation, apart from indexes and constraints named in `ours`.

    With `own_only`, only what is part of the relation itself: no views and functions that read it.
    """
    arguments = {"oid": oid, "columns": list(columns), "ours": list(ours), "own_only": own_only}
    return [row[0] for row in connection.execute(COLUMN_USERS, arguments).fetchall()]


def foreign_owned(captured: Captured) -> list[str]:
    """Views and functions that must be re-created but belong to a role the publisher is not a member of."""
    views = [f"view {v['schema']}.{v['name']} of {v['owner']}" for v in captured["views"] if not v["mine"]]
    return views + [f"function {f['name']}" for f in captured["functions"] if not f["mine"]]


class Carrier:
    """Puts the live table's properties on the candidate `schema.version`."""

    def __init__(self, captured: Captured, schema: str, version: str, columns: Sequence[str]) -> None:
        self.captured = captured
        self.schema = schema
        self.version = version
        self.columns = frozenset(columns)
        self.place = qualified(schema, version)
        self.old = captured["table"]["qualified"]

    def indexes(
        self, declared: Sequence[str], built: Sequence[str]
    ) -> Iterator[tuple[str, str, list[sql.Composed]]]:
        """Indexes of the live table that nobody declares: (public name, version's name, statements).

        `declared` are names declared now or by the previous version (and so ours to drop); `built` the
        definitions (after USING) that the candidate already has. An index on a column that the version has not
        is one that was declared: preflight refused the others.
        """
        for index in self.captured["indexes"]:
            tail = index_tail(index["definition"])
            if (
                index["name"] in declared
                or tail in built
                or not self.columns.issuperset(index["columns"] or ())
            ):
                continue
            name = versioned(index["name"], self.version)
            head = f"INDEX {index['quoted']} ON {self.old} USING"
            start = index["definition"].split(head)[0]
            body = index["definition"][len(start) + len(head) :]
            statements = [
                sql.SQL("{}INDEX {} ON {} USING{}").format(
                    raw(start), sql.Identifier(name), self.place, raw(body)
                )
            ]
            if index["constraint_type"] in ("p", "u"):
                kind = sql.SQL("primary key" if index["constraint_type"] == "p" else "unique")
                late = raw(_deferral(index["constraint_definition"]))
                statements.append(
                    sql.SQL("alter table {} add constraint {} {} using index {}{}").format(
                        self.place, sql.Identifier(name), kind, sql.Identifier(name), late
                    )
                )
            yield index["name"], name, statements

    def index_properties(self, names: dict[str, str]) -> Iterator[sql.Composed]:
        """Comments, statistics targets, the CLUSTER mark and replica identity of indexes that live on by name."""
        for index in self.captured["indexes"]:
            if index["name"] not in names:
                continue
            name = names[index["name"]]
            place = qualified(self.schema, name)
            if index["comment"]:
                yield sql.SQL("comment on index {} is {}").format(place, sql.Literal(index["comment"]))
            if index["constraint_comment"]:
                yield sql.SQL("comment on constraint {} on {} is {}").format(
                    sql.Identifier(name), self.place, sql.Literal(index["constraint_comment"])
                )
            for number, value in enumerate(index["statistics"] or (), 1):
                if value is not None and value >= 0:
                    yield sql.SQL("alter index {} alter column {} set statistics {}").format(
                        place, sql.Literal(number), sql.Literal(value)
                    )
            if index["clustered"]:
                yield sql.SQL("alter table {} cluster on {}").format(self.place, sql.Identifier(name))
            if index["replica_identity"]:
                yield sql.SQL("alter table {} replica identity using index {}").format(
                    self.place, sql.Identifier(name)
                )

    def statistics(self) -> Iterator[tuple[str, str, str, list[sql.Composed]]]:
        """Extended statistics: (schema, name, version's name, statements)."""
        for item in self.captured["statistics"]:
            name = versioned(item["name"], self.version)
            head = f"CREATE STATISTICS {item['qualified']}"
            body = item["definition"].removeprefix(head).removesuffix(f" FROM {self.old}")
            place = qualified(self.schema, name)
            statements = [sql.SQL("create statistics {}{} from {}").format(place, raw(body), self.place)]
            if item["target"] is not None and item["target"] >= 0:
                statements.append(
                    sql.SQL("alter statistics {} set statistics {}").format(
                        place, sql.Literal(item["target"])
                    )
                )
            if item["comment"]:
                statements.append(
                    sql.SQL("comment on statistics {} is {}").format(place, sql.Literal(item["comment"]))
                )
            yield item["schema"], item["name"], name, statements

    def before_analyze(
        self, described: frozenset[str], present_checks: frozenset[str]
    ) -> Iterator[sql.Composed]:
        """Column settings, storage options, comments and CHECKs; a declared comment wins over a live one."""
        for column in self.captured["attributes"]:
            if column["name"] in self.columns:
                yield from self._column(column, described)
        if self.captured["table"]["options"]:
            yield sql.SQL("alter table {} set ({})").format(
                self.place, raw(reloptions(self.captured["table"]["options"]))
            )
        if self.captured["table"]["comment"] and "" not in described:
            yield sql.SQL("comment on table {} is {}").format(
                self.place, sql.Literal(self.captured["table"]["comment"])
            )
        for check in self.captured["checks"]:
            if check["name"] not in present_checks:
                yield sql.SQL("alter table {} add constraint {} {}").format(
                    self.place, sql.Identifier(check["name"]), raw(check["definition"])
                )
            yield from self._comment("constraint", check)

    def _column(self, column: Captured, described: frozenset[str]) -> Iterator[sql.Composed]:
        alter = sql.SQL("alter table {} alter column {} ").format(self.place, sql.Identifier(column["name"]))
        if column["storage"] != column["default_storage"]:
            yield alter + sql.SQL("set storage {}").format(raw(_STORAGE[column["storage"]]))
        if column["compression"]:
            yield alter + sql.SQL("set compression {}").format(raw(_COMPRESSION[column["compression"]]))
        if column["statistics"] is not None and column["statistics"] >= 0:
            yield alter + sql.SQL("set statistics {}").format(sql.Literal(column["statistics"]))
        if column["options"]:
            yield alter + sql.SQL("set ({})").format(raw(reloptions(column["options"])))
        if column["comment"] and column["name"] not in described:
            yield sql.SQL("comment on column {} is {}").format(
                sql.Identifier(self.schema, self.version, column["name"]), sql.Literal(column["comment"])
            )

    def after_guards(self) -> Iterator[sql.Composed]:
        """Policies, row level security, triggers, rules, replica identity: nothing the guards may run into."""
        for policy in self.captured["policies"]:
            yield self._policy(policy)
            yield from self._comment("policy", policy)
        if self.captured["table"]["rls"]:
            yield sql.SQL("alter table {} enable row level security").format(self.place)
        if self.captured["table"]["force_rls"]:
            yield sql.SQL("alter table {} force row level security").format(self.place)
        for trigger in self.captured["triggers"]:
            yield self._moved(trigger, f"TRIGGER {trigger['quoted']} ", f" ON {self.old} ")
            if trigger["enabled"] in _TRIGGER_STATE:
                yield sql.SQL("alter table {} {} trigger {}").format(
                    self.place, raw(_TRIGGER_STATE[trigger["enabled"]]), sql.Identifier(trigger["name"])
                )
            yield from self._comment("trigger", trigger)
        for rule in self.captured["rules"]:
            yield self._moved(rule, f"RULE {rule['quoted']} AS", f" TO {self.old} ")
            yield from self._comment("rule", rule)
        identity = {"f": "full", "n": "nothing"}.get(self.captured["table"]["replica_identity"])
        if identity:
            yield sql.SQL("alter table {} replica identity {}").format(self.place, raw(identity))

    def _comment(self, kind: str, item: Captured) -> Iterator[sql.Composed]:
        """The comment on something that is named within the table."""
        if item["comment"]:
            yield sql.SQL("comment on {} {} on {} is {}").format(
                raw(kind), sql.Identifier(item["name"]), self.place, sql.Literal(item["comment"])
            )

    def _moved(self, item: Captured, head: str, place: str) -> sql.Composed:
        """A definition with the table's name, after the object's own name, replaced by the candidate's."""
        definition: str = item["definition"] + " "
        at = definition.index(place, definition.index(head) + len(head) - 1)
        word = " ON {} " if place.startswith(" ON") else " TO {} "
        middle = sql.SQL(word).format(self.place)
        return sql.SQL("{}{}{}").format(raw(definition[:at]), middle, raw(definition[at + len(place) :]))

    def _policy(self, policy: Captured) -> sql.Composed:
        roles = [sql.SQL("public") if role is None else sql.Identifier(role) for role in policy["roles"]]
        text = sql.SQL("create policy {} on {} as {} for {} to {}").format(
            sql.Identifier(policy["name"]),
            self.place,
            raw("permissive" if policy["permissive"] else "restrictive"),
            raw(_COMMANDS[policy["command"]]),
            sql.SQL(", ").join(roles),
        )
        if policy["using"]:
            text += sql.SQL(" using ({})").format(raw(policy["using"]))
        if policy["check"]:
            text += sql.SQL(" with check ({})").format(raw(policy["check"]))
        return text

    def grants(self, *, only_reading: bool = False) -> Iterator[sql.Composed]:
        """The live relation's privileges on the candidate, grant by grant."""
        return grants(self.captured["acl"], self.place, self.columns, only_reading=only_reading)


def grants(
    acl: Sequence[Captured], place: sql.Composable, columns: frozenset[str], *, only_reading: bool = False
) -> Iterator[sql.Composed]:
    """Captured privileges as GRANTs on `place`; those on columns it does not have are left out."""
    for item in acl:
        if item["column"] and item["column"] not in columns:
            continue
        if only_reading and item["privilege"] != "SELECT":
            continue
        column = sql.SQL(" ({})").format(sql.Identifier(item["column"])) if item["column"] else sql.SQL("")
        yield sql.SQL("grant {}{} on {} to {}{}").format(
            raw(item["privilege"]),
            column,
            place,
            sql.Identifier(item["grantee"]) if item["grantee"] else sql.SQL("public"),
            sql.SQL(" with grant option") if item["grantable"] else sql.SQL(""),
        )


def views_outermost_first(captured: Captured) -> list[tuple[str, str]]:
    """Dependent views in the order in which a reader of the outermost one locks them."""
    return [(view["schema"], view["name"]) for view in captured["views"]]


def rebind(captured: Captured) -> Iterator[sql.Composed]:
    """Bind views and BEGIN ATOMIC functions to the table that now has the name; identity and grants stay."""
    for view in captured["views"]:
        if view["direct"]:
            options = (
                sql.SQL(" with ({})").format(raw(reloptions(view["options"])))
                if view["options"]
                else sql.SQL("")
            )
            yield sql.SQL("create or replace view {}{} as {}").format(
                qualified(view["schema"], view["name"]), options, raw(view["definition"].rstrip().rstrip(";"))
            )
    for function in captured["functions"]:
        yield sql.SQL("{}").format(raw(function["definition"].rstrip()))


def move_publications(captured: Captured, old: sql.Composable, new: sql.Composable) -> Iterator[sql.Composed]:
    """Take the old table out of its publications and the new one in, with column list and row filter."""
    for item in captured["publications"]:
        columns = sql.SQL("")
        if item["columns"]:
            columns = sql.SQL(" ({})").format(sql.SQL(", ").join(map(sql.Identifier, item["columns"])))
        where = sql.SQL(" where ({})").format(raw(item["where"])) if item["where"] else sql.SQL("")
        name = sql.Identifier(item["name"])
        yield sql.SQL("alter publication {} drop table {}").format(name, old)
        yield sql.SQL("alter publication {} add table {}{}{}").format(name, new, columns, where)


def index_tail(definition: str) -> str:
    """What an index is, without its name and table."""
    return definition.split("INDEX ")[0] + definition[definition.index(" USING ") :]


def reloptions(items: Sequence[str]) -> str:
    """`['fillfactor=90']` as SQL; values are quoted because some are words."""
    pairs = [item.partition("=") for item in items]
    return ", ".join(f"{name} = '{value}'" for name, _, value in pairs)


def _deferral(definition: str) -> str:
    return "".join(f" {word}" for word in ("DEFERRABLE", "INITIALLY DEFERRED") if word in definition)

"""Mode `pointer`: readers see a view on a SQL function that PostgreSQL inlines; replacing the function is the swap.

CREATE OR REPLACE FUNCTION locks no relation, so a swap waits for no reader and no reader waits for it, on standbys
neither. The function returns a composite type made once, because RETURNS TABLE would lose numeric(18,4) and
varchar(10). Its body is BEGIN ATOMIC: it is parsed at the swap, so readers need no right on the private schema,
and PostgreSQL itself refuses to drop the version it reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from stir_assets.publish import carry, ddl
from stir_assets.publish.carry import Captured
from stir_assets.publish.live import Live
from stir_assets.publish.postgres import qualified, raw
from stir_assets.publish.target import Target

Columns = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Pointer:
    """The view of a target and the function under it. `columns` are names and types as PostgreSQL prints them."""

    target: Target
    private: str
    columns: Columns

    @property
    def place(self) -> sql.Identifier:
        return qualified(self.target.schema, self.target.table)

    @property
    def function(self) -> sql.Identifier:
        """Function and type are of these columns; others get others, so that a swap never changes a signature."""
        return qualified(self.private, ddl.pointer_name(self.target.name, self.target.table, self.columns))

    def point(self, version: str) -> list[sql.Composed]:
        """The whole swap when the columns stay."""
        names = sql.SQL(", ").join(sql.Identifier("t", name) for name, _ in self.columns)
        return [
            sql.SQL(
                "create or replace function {}() returns setof {} language sql stable parallel safe "
                "begin atomic select {} from {} as t; end"
            ).format(self.function, self.function, names, qualified(self.private, version))
        ]

    def comments(self, view: Captured | None) -> Iterable[sql.Composed]:
        """The declared comments that the view does not have yet; none takes a lock that readers feel."""
        return ddl.missing_comments(self.target, "view", view)

    def make(self, version: str, was: Live | None) -> list[sql.Composed]:
        """Type, function and view under the free name; owner, privileges and comments of what was there before."""
        types = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), raw(kind)) for name, kind in self.columns
        )
        live = was.captured if was else None
        owner = self.target.owner or (live["table"]["owner"] if live else None)
        options = was.view["table"]["options"] if was and was.view else None
        statements = [
            *self.drop_function(),
            sql.SQL("create type {} as ({})").format(self.function, types),
            *self.point(version),
            sql.SQL("grant execute on function {}() to public").format(self.function),
            sql.SQL("create view {}{} as select {} from {}() as t").format(
                self.place,
                sql.SQL(" with ({})").format(raw(carry.reloptions(options))) if options else sql.SQL(""),
                sql.SQL(", ").join(sql.Identifier("t", name) for name, _ in self.columns),
                self.function,
            ),
            *self._revoke_defaults(),
            *self._grants(live),
            *self._carried_comments(live),
            *self.comments(None),
        ]
        if owner is not None:
            statements.append(sql.SQL("alter view {} owner to {}").format(self.place, sql.Identifier(owner)))
        return statements

    def _revoke_defaults(self) -> list[sql.Composed]:
        """Default privileges must not let anybody read more than before."""
        place = sql.Literal(self.place.as_string())
        return [
            sql.SQL(
                "do $revoke$ declare who record; begin for who in select distinct case e.grantee when 0 then 'public' "
                "else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) end as name "
                "from pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) e where c.oid = {place}::regclass "
                "and e.grantee <> c.relowner loop "
                "execute 'revoke all on ' || {place} || ' from ' || who.name; end loop; end $revoke$"
            ).format(place=place)
        ]

    def _grants(self, live: Captured | None) -> Iterator[sql.Composed]:
        if live is not None:
            yield from carry.grants(live["acl"], self.place, frozenset(name for name, _ in self.columns))
            return
        yield from ddl.grants(self.target, self.place)

    def _carried_comments(self, live: Captured | None) -> Iterator[sql.Composed]:
        if live is None:
            return
        if live["table"]["comment"] and not self.target.comment:
            yield sql.SQL("comment on view {} is {}").format(
                self.place, sql.Literal(live["table"]["comment"])
            )
        described = {column.name for column in self.target.columns if column.description}
        names = {name for name, _ in self.columns}
        for column in live["attributes"]:
            if column["comment"] and column["name"] in names - described:
                place = sql.Identifier(self.target.schema, self.target.table, column["name"])
                yield sql.SQL("comment on column {} is {}").format(place, sql.Literal(column["comment"]))

    def drop_function(self) -> list[sql.Composed]:
        """Function and type; refused by PostgreSQL while anything but a dropped view depends on them."""
        return [
            sql.SQL("drop function if exists {}()").format(self.function),
            sql.SQL("drop type if exists {}").format(self.function),
        ]

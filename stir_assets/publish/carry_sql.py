"""One query that says everything hanging off a table: what CREATE TABLE ... LIKE would lose."""

from __future__ import annotations

from typing import LiteralString

CAPTURE: LiteralString = """
select jsonb_build_object(
 'table', (select jsonb_build_object('qualified',
    c.relnamespace::regnamespace::text || '.' || pg_catalog.quote_ident(c.relname),
    'owner', pg_catalog.pg_get_userbyid(c.relowner), 'options', to_jsonb(c.reloptions),
    'rls', c.relrowsecurity, 'force_rls', c.relforcerowsecurity, 'replica_identity', c.relreplident,
    'comment', pg_catalog.obj_description(c.oid, 'pg_class')) from pg_catalog.pg_class c where c.oid = %(oid)s),
 'acl', (select coalesce(jsonb_agg(jsonb_build_object('grantee', x.grantee, 'privilege', x.privilege_type,
    'grantable', x.is_grantable, 'column', x.attname) order by x.attname nulls first, x.grantee, x.privilege_type), '[]')
    from (select case e.grantee when 0 then null else pg_catalog.pg_get_userbyid(e.grantee) end as grantee,
            e.privilege_type, e.is_grantable, null::name as attname
          from pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) e
          where c.oid = %(oid)s and e.grantee <> c.relowner
          union all
          select case e.grantee when 0 then null else pg_catalog.pg_get_userbyid(e.grantee) end,
            e.privilege_type, e.is_grantable, a.attname
          from pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) e
          where a.attrelid = %(oid)s and not a.attisdropped) x),
 'attributes', (select coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'statistics', a.attstattarget,
    'options', to_jsonb(a.attoptions), 'storage', a.attstorage, 'default_storage', t.typstorage,
    'compression', a.attcompression,
    'comment', pg_catalog.col_description(a.attrelid, a.attnum)) order by a.attnum), '[]')
    from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
    where a.attrelid = %(oid)s and a.attnum > 0 and not a.attisdropped),
 'policies', (select coalesce(jsonb_agg(jsonb_build_object('name', p.polname, 'permissive', p.polpermissive,
    'command', p.polcmd, 'roles', (select jsonb_agg(case r when 0 then null else pg_catalog.pg_get_userbyid(r) end)
        from unnest(p.polroles) r),
    'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid),
    'comment', pg_catalog.obj_description(p.oid, 'pg_policy'))
    order by p.polname), '[]') from pg_catalog.pg_policy p where p.polrelid = %(oid)s),
 'triggers', (select coalesce(jsonb_agg(jsonb_build_object('name', t.tgname,
    'quoted', pg_catalog.quote_ident(t.tgname), 'definition', pg_catalog.pg_get_triggerdef(t.oid),
    'enabled', t.tgenabled, 'comment', pg_catalog.obj_description(t.oid, 'pg_trigger')) order by t.tgname), '[]')
    from pg_catalog.pg_trigger t where t.tgrelid = %(oid)s and not t.tgisinternal),
 'rules', (select coalesce(jsonb_agg(jsonb_build_object('name', r.rulename,
    'quoted', pg_catalog.quote_ident(r.rulename), 'definition', pg_catalog.pg_get_ruledef(r.oid),
    'comment', pg_catalog.obj_description(r.oid, 'pg_rewrite')) order by r.rulename), '[]')
    from pg_catalog.pg_rewrite r where r.ev_class = %(oid)s and r.rulename <> '_RETURN'),
 'publications', (select coalesce(jsonb_agg(jsonb_build_object('name', p.pubname,
    'where', pg_catalog.pg_get_expr(m.prqual, m.prrelid), 'columns', (select jsonb_agg(a.attname order by a.attnum)
        from pg_catalog.pg_attribute a where a.attrelid = m.prrelid and a.attnum = any(m.prattrs::int2[])))
    order by p.pubname), '[]')
    from pg_catalog.pg_publication_rel m join pg_catalog.pg_publication p on p.oid = m.prpubid where m.prrelid = %(oid)s),
 'statistics', (select coalesce(jsonb_agg(jsonb_build_object('name', s.stxname,
    'schema', (select n.nspname from pg_catalog.pg_namespace n where n.oid = s.stxnamespace),
    'qualified', s.stxnamespace::regnamespace::text || '.' || pg_catalog.quote_ident(s.stxname),
    'definition', pg_catalog.pg_get_statisticsobjdef(s.oid),
    'target', s.stxstattarget, 'comment', pg_catalog.obj_description(s.oid, 'pg_statistic_ext')) order by s.stxname), '[]')
    from pg_catalog.pg_statistic_ext s where s.stxrelid = %(oid)s),
 'indexes', (select coalesce(jsonb_agg(jsonb_build_object('name', k.relname,
    'quoted', pg_catalog.quote_ident(k.relname), 'definition', pg_catalog.pg_get_indexdef(i.indexrelid), 'valid', i.indisvalid,
    'constraint', n.conname, 'constraint_type', n.contype, 'constraint_definition', pg_catalog.pg_get_constraintdef(n.oid),
    'clustered', i.indisclustered, 'replica_identity', i.indisreplident,
    'comment', pg_catalog.obj_description(i.indexrelid, 'pg_class'),
    'constraint_comment', pg_catalog.obj_description(n.oid, 'pg_constraint'),
    'columns', (select jsonb_agg(a.attname order by a.attnum) from pg_catalog.pg_attribute a
        where a.attrelid = i.indrelid and (a.attnum = any(i.indkey) or exists (select 1 from pg_catalog.pg_depend d
            where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = i.indexrelid
                and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = i.indrelid
                and d.refobjsubid = a.attnum))),
    'statistics', (select jsonb_agg(a.attstattarget order by a.attnum) from pg_catalog.pg_attribute a
        where a.attrelid = i.indexrelid)) order by k.relname), '[]')
    from pg_catalog.pg_index i join pg_catalog.pg_class k on k.oid = i.indexrelid
    left join pg_catalog.pg_constraint n on n.conindid = i.indexrelid and n.conrelid = i.indrelid
        and n.contype in ('p', 'u', 'x')
    where i.indrelid = %(oid)s),
 'checks', (select coalesce(jsonb_agg(jsonb_build_object('name', n.conname, 'type', n.contype,
    'definition', pg_catalog.pg_get_constraintdef(n.oid),
    'comment', pg_catalog.obj_description(n.oid, 'pg_constraint')) order by n.conname), '[]')
    from pg_catalog.pg_constraint n where n.conrelid = %(oid)s and n.contype = 'c'),
 'views', (with recursive d(oid, level) as (
        select distinct r.ev_class, 1 from pg_catalog.pg_depend p join pg_catalog.pg_rewrite r on r.oid = p.objid
            join pg_catalog.pg_class k on k.oid = r.ev_class
        where p.refobjid = %(oid)s and p.refclassid = 'pg_catalog.pg_class'::regclass
            and p.classid = 'pg_catalog.pg_rewrite'::regclass and r.ev_class <> %(oid)s and k.relkind = 'v'
        union
        select r.ev_class, d.level + 1 from d join pg_catalog.pg_depend p on p.refobjid = d.oid
            and p.classid = 'pg_catalog.pg_rewrite'::regclass join pg_catalog.pg_rewrite r on r.oid = p.objid
            join pg_catalog.pg_class k on k.oid = r.ev_class where r.ev_class <> d.oid and k.relkind = 'v')
    select coalesce(jsonb_agg(jsonb_build_object(
        'schema', (select n.nspname from pg_catalog.pg_namespace n where n.oid = k.relnamespace), 'name', k.relname,
        'level', v.level, 'direct', v.direct, 'options', to_jsonb(k.reloptions), 'definition', pg_catalog.pg_get_viewdef(k.oid),
        'owner', pg_catalog.pg_get_userbyid(k.relowner),
        'mine', pg_catalog.pg_has_role(k.relowner, 'USAGE')) order by v.level desc, k.oid), '[]')
    from (select oid, max(level) as level, bool_or(level = 1) as direct from d group by oid) v
    join pg_catalog.pg_class k on k.oid = v.oid),
 'functions', (select coalesce(jsonb_agg(jsonb_build_object('name', f.name, 'definition', f.definition, 'mine', f.mine)
    order by f.name), '[]') from (select distinct p.oid::regprocedure::text as name,
        pg_catalog.pg_get_functiondef(p.oid) as definition, pg_catalog.pg_has_role(p.proowner, 'USAGE') as mine
        from pg_catalog.pg_depend d join pg_catalog.pg_proc p on p.oid = d.objid
            and d.classid = 'pg_catalog.pg_proc'::regclass
        where d.refobjid = %(oid)s and d.refclassid = 'pg_catalog.pg_class'::regclass and p.prosqlbody is not null) f)
)
"""

# Objects that follow the table's identity, so that a rename cannot bring them along.
BLOCKERS: LiteralString = """
select 'materialized view ' || k.oid::regclass::text from pg_catalog.pg_class k where k.relkind = 'm' and k.oid in (
    with recursive d(oid) as (select %(oid)s::oid union
        select r.ev_class from d join pg_catalog.pg_depend p on p.refobjid = d.oid
            and p.classid = 'pg_catalog.pg_rewrite'::regclass join pg_catalog.pg_rewrite r on r.oid = p.objid)
    select oid from d)
union all
select 'foreign key ' || conname || ' of ' || conrelid::regclass::text from pg_catalog.pg_constraint
    where confrelid = %(oid)s and contype = 'f' and conparentid = 0
union all
select 'foreign key ' || conname || ' of the table itself, to ' || confrelid::regclass::text
    from pg_catalog.pg_constraint where conrelid = %(oid)s and contype = 'f'
union all
select 'user of the row type: ' || pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
    from pg_catalog.pg_depend d join pg_catalog.pg_type t on t.oid = d.refobjid
        and d.refclassid = 'pg_catalog.pg_type'::regclass
    where (t.typrelid = %(oid)s or t.typelem = (select oid from pg_catalog.pg_type where typrelid = %(oid)s))
        and d.deptype = 'n'
union all
select 'sequence ' || d.objid::regclass::text || ' owned by a column (serial or identity)'
    from pg_catalog.pg_depend d join pg_catalog.pg_class k on k.oid = d.objid and k.relkind = 'S'
    where d.refobjid = %(oid)s and d.classid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')
union all
select 'inheritance or partition ' || inhrelid::regclass::text || ' of ' || inhparent::regclass::text
    from pg_catalog.pg_inherits where (inhrelid = %(oid)s or inhparent = %(oid)s)
        and exists (select 1 from pg_catalog.pg_class k where k.oid = inhrelid and k.relkind in ('r', 'p', 'f'))
union all
select 'exclusion constraint ' || conname from pg_catalog.pg_constraint where conrelid = %(oid)s and contype = 'x'
union all
select 'publication ' || p.pubname || ' with logical slot ' || s.slot_name
    from pg_catalog.pg_publication p, pg_catalog.pg_replication_slots s
    where s.slot_type = 'logical' and s.database = current_database()
        and (p.puballtables or exists (select 1 from pg_catalog.pg_publication_rel m
                where m.prpubid = p.oid and m.prrelid = %(oid)s)
            or exists (select 1 from pg_catalog.pg_publication_namespace m join pg_catalog.pg_class k
                on k.oid = %(oid)s and m.pnnspid = k.relnamespace where m.pnpubid = p.oid))
"""

# What would have to lose a column's use to live on without the column. NOT NULL and defaults go with their column.
COLUMN_USERS: LiteralString = """
select pg_catalog.pg_describe_object(d.classid, d.objid, 0) || ' on column '
        || string_agg(distinct a.attname, ', ' order by a.attname)
    from pg_catalog.pg_depend d
    join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    left join pg_catalog.pg_class k on d.classid = 'pg_catalog.pg_class'::regclass and k.oid = d.objid
    left join pg_catalog.pg_constraint n on d.classid = 'pg_catalog.pg_constraint'::regclass and n.oid = d.objid
    where d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = %(oid)s and a.attname = any(%(columns)s)
        and d.classid <> 'pg_catalog.pg_attrdef'::regclass and n.contype is distinct from 'n'
        and coalesce(k.relname, n.conname, '') <> all(%(ours)s)
        and not (%(own_only)s and (d.classid = 'pg_catalog.pg_proc'::regclass or exists (select 1
            from pg_catalog.pg_rewrite r where r.oid = d.objid and r.ev_class <> d.refobjid
            and d.classid = 'pg_catalog.pg_rewrite'::regclass)))
    group by d.classid, d.objid order by 1
"""

-- Rebuilds of projections: tables beside the live ones, of the same shape, and the swap in one transaction. The service's
-- role owns no table, so these functions run as the owner; of what the role may not change they make no scratch.

CREATE FUNCTION projection_shape(tables text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(format('%s %s (%s) %s %s', c.oid, c.reloptions,
        (SELECT string_agg(format('%s %s %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                                  pg_get_expr(d.adbin, d.adrelid)), ', ' ORDER BY a.attnum)
         FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
        (SELECT string_agg(pg_get_indexdef(i.indexrelid), ', ' ORDER BY i.indexrelid)
         FROM pg_index i WHERE i.indrelid = c.oid),
        c.relacl), '; ' ORDER BY c.relname)
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (tables)
$$;

CREATE FUNCTION drop_scratch(scratch text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF scratch !~ '^(rebuild|compare)_[a-z0-9_]{1,50}$' THEN
        RAISE EXCEPTION '% is no name of a scratch schema', scratch;
    END IF;
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', scratch);
END
$$;

-- Returns the shape of the live tables, which the swap wants unchanged. What an earlier rebuild has left is dropped.
CREATE FUNCTION make_scratch(scratch text, tables text[]) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one text;
    live pg_class%ROWTYPE;
    part record;
BEGIN
    PERFORM public.drop_scratch(scratch);
    EXECUTE format('CREATE SCHEMA %I', scratch);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', scratch, session_user);
    FOREACH one IN ARRAY tables LOOP
        SELECT * INTO live FROM pg_class WHERE oid = to_regclass(format('public.%I', one)) AND relkind = 'r';
        IF live.oid IS NULL THEN
            RAISE EXCEPTION 'a projection names a table that is not there: %', one USING ERRCODE = 'undefined_table';
        END IF;
        IF NOT has_table_privilege(session_user, live.oid, 'DELETE') OR live.relhastriggers THEN
            RAISE EXCEPTION '% is no table of a projection', one USING ERRCODE = 'insufficient_privilege';
        END IF;
        EXECUTE format('CREATE TABLE %I.%I (LIKE public.%I INCLUDING ALL EXCLUDING INDEXES)', scratch, one, one)
            || coalesce(' WITH (' || array_to_string(live.reloptions, ', ') || ')', '');
        FOR part IN SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
                    WHERE conrelid = live.oid AND contype IN ('p', 'u', 'x') ORDER BY contype, conname LOOP
            EXECUTE format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', scratch, one, part.conname, part.definition);
        END LOOP;
        FOR part IN SELECT pg_get_indexdef(indexrelid) AS definition FROM pg_index
                    WHERE indrelid = live.oid AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
                    ORDER BY indexrelid LOOP
            EXECUTE replace(part.definition, format(' ON public.%I ', one), format(' ON %I.%I ', scratch, one));
        END LOOP;
        FOR part IN SELECT privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee
                    FROM aclexplode(live.relacl) WHERE grantee <> live.relowner LOOP
            EXECUTE format('GRANT %s ON %I.%I TO %s', part.privilege_type, scratch, one, part.grantee);
        END LOOP;
    END LOOP;
    RETURN public.projection_shape(tables);
END
$$;

-- Count what was folded, so that the first plans on the new tables are good ones.
CREATE FUNCTION count_scratch(scratch text, tables text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY tables LOOP
        EXECUTE format('ANALYZE %I.%I', scratch, one);
    END LOOP;
END
$$;

-- Put the scratch tables in the place of the live ones, which are dropped; views are bound to the new ones. False where
-- the live tables have changed their shape since the scratch was made. `lock_timeout` is the caller's.
CREATE FUNCTION swap_scratch(scratch text, tables text[], made_for text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one text;
    former text := scratch || '_former';
    live oid[] := ARRAY(SELECT to_regclass(format('public.%I', t))::oid FROM unnest(tables) t);
    views oid[] := ARRAY(SELECT DISTINCT r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
                         WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
                             AND d.refobjid = ANY (live) AND r.ev_class <> ALL (live));
    bound text[];
BEGIN
    FOREACH one IN ARRAY ARRAY(SELECT v::regclass::text FROM unnest(views) v ORDER BY v)
                         || ARRAY(SELECT format('public.%I', t) FROM unnest(tables) t ORDER BY t) LOOP
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', one);
    END LOOP;
    IF public.projection_shape(tables) IS DISTINCT FROM made_for THEN
        RETURN false;
    END IF;
    bound := ARRAY(SELECT format('CREATE OR REPLACE VIEW %s %s AS %s', c.oid::regclass,
                                 'WITH (' || array_to_string(c.reloptions, ', ') || ')', pg_get_viewdef(c.oid))
                   FROM pg_class c WHERE c.oid = ANY (views) ORDER BY c.oid);
    EXECUTE format('CREATE SCHEMA %I', former);
    FOREACH one IN ARRAY tables LOOP
        EXECUTE format('ALTER TABLE public.%I SET SCHEMA %I', one, former);
        EXECUTE format('ALTER TABLE %I.%I SET SCHEMA public', scratch, one);
    END LOOP;
    FOREACH one IN ARRAY bound LOOP
        EXECUTE one;
    END LOOP;
    FOREACH one IN ARRAY tables LOOP
        EXECUTE format('DROP TABLE %I.%I', former, one);
    END LOOP;
    EXECUTE format('DROP SCHEMA %I', former);
    EXECUTE format('DROP SCHEMA %I', scratch);
    RETURN true;
END
$$;

DO $$
DECLARE
    service_role text := current_setting('piperoll.service_role');
BEGIN
    REVOKE ALL ON FUNCTION projection_shape, drop_scratch, make_scratch, count_scratch, swap_scratch FROM PUBLIC;
    EXECUTE format('GRANT EXECUTE ON FUNCTION drop_scratch, make_scratch, count_scratch, swap_scratch TO %I',
                   service_role);
END
$$;

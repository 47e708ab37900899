package migrate

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Bootstrap makes the service's database and its four login roles with the passwords that stand in cfg.URL. It runs as an
// administrator (superuser, or CREATEDB and CREATEROLE), is safe to run again and by several processes at once, and sets
// the passwords anew each time.
func Bootstrap(ctx context.Context, adminURL string, cfg pg.Config, service string) error {
	unlock, err := lock(ctx, adminURL, "guanxi bootstrap")
	if err != nil {
		return fmt.Errorf("bootstrap %s: %w", service, err)
	}
	defer unlock()
	admin, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return fmt.Errorf("bootstrap %s: %w", service, err)
	}
	defer func() { _ = admin.Close(context.WithoutCancel(ctx)) }()

	var database string
	for _, role := range []pg.Role{pg.Owner, pg.App, pg.Relay, pg.Ops} {
		cc, err := pgx.ParseConfig(cfg.For(service, role))
		if err != nil {
			return fmt.Errorf("bootstrap %s: the URL of role %s cannot be read: %w", service, role, err)
		}
		if want := service + "_" + string(role); cc.User != want {
			return fmt.Errorf("bootstrap %s: the URL of role %s must have the user %s, it has %q", service, role, want, cc.User)
		}
		if database != "" && cc.Database != database {
			return fmt.Errorf("bootstrap %s: the roles must share one database, found %q and %q", service, database, cc.Database)
		}
		database = cc.Database
		if err := makeRole(ctx, admin, cc.User, cc.Password); err != nil {
			return fmt.Errorf("bootstrap %s: role %s: %w", service, cc.User, err)
		}
	}
	if err := makeDatabase(ctx, admin, database, service); err != nil {
		return fmt.Errorf("bootstrap %s: database %s: %w", service, database, err)
	}
	if err := prepareDatabase(ctx, admin, database, service); err != nil {
		return fmt.Errorf("bootstrap %s: database %s: %w", service, database, err)
	}
	return nil
}

func makeRole(ctx context.Context, admin *pgx.Conn, name, password string) error {
	var exists bool
	if err := admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name).Scan(&exists); err != nil {
		return err
	}
	verb := "CREATE"
	if exists {
		verb = "ALTER"
	}
	role := pgx.Identifier{name}.Sanitize()
	_, err := admin.Exec(ctx, fmt.Sprintf("%s ROLE %s LOGIN NOCREATEDB NOCREATEROLE PASSWORD %s",
		verb, role, literal(password)))
	return err
}

func makeDatabase(ctx context.Context, admin *pgx.Conn, database, service string) error {
	var exists bool
	err := admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database).Scan(&exists)
	if err != nil || exists {
		return err
	}
	owner := pgx.Identifier{service + "_" + string(pg.Owner)}.Sanitize()
	var super bool
	if err := admin.QueryRow(ctx, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user").Scan(&super); err != nil {
		return err
	}
	if !super { // who gives a database away must be able to act as its owner
		if _, err := admin.Exec(ctx, "GRANT "+owner+" TO CURRENT_USER"); err != nil {
			return err
		}
	}
	// Bytewise collation makes keys quick and their order the same everywhere; the character type is UTF-8, without which
	// trigrams know no Chinese.
	_, err = admin.Exec(ctx, fmt.Sprintf(
		"CREATE DATABASE %s OWNER %s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE %s",
		pgx.Identifier{database}.Sanitize(), owner, literal(utf8CharacterType(ctx, admin))))
	return err
}

// utf8CharacterType gives the server's UTF-8 character type that depends on no country, else that of its template.
func utf8CharacterType(ctx context.Context, admin *pgx.Conn) string {
	var name string
	err := admin.QueryRow(ctx, `
		SELECT collctype FROM pg_collation WHERE collname IN ('C.utf8', 'C.UTF-8') AND collctype IS NOT NULL
		 ORDER BY collname LIMIT 1`).Scan(&name)
	if err == nil {
		return name
	}
	_ = admin.QueryRow(ctx, "SELECT datctype FROM pg_database WHERE datname = 'template0'").Scan(&name)
	return name
}

func prepareDatabase(ctx context.Context, admin *pgx.Conn, database, service string) error {
	cc := admin.Config().Copy()
	cc.Database = database
	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	name := func(role pg.Role) string { return pgx.Identifier{service + "_" + string(role)}.Sanitize() }
	db, everyone := pgx.Identifier{database}.Sanitize(), name(pg.App)+", "+name(pg.Relay)+", "+name(pg.Ops)
	return exec(ctx, conn.PgConn(),
		"REVOKE ALL ON DATABASE "+db+" FROM PUBLIC",
		"GRANT CONNECT ON DATABASE "+db+" TO "+everyone,
		"ALTER SCHEMA public OWNER TO "+name(pg.Owner),
		"REVOKE ALL ON SCHEMA public FROM PUBLIC",
		"GRANT USAGE ON SCHEMA public TO "+everyone)
}

func exec(ctx context.Context, conn *pgconn.PgConn, statements ...string) error {
	for _, s := range statements {
		if err := conn.Exec(ctx, s).Close(); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// literal quotes for statements that take no parameters.
func literal(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		q = " E" + strings.ReplaceAll(q, `\`, `\\`)
	}
	return q
}

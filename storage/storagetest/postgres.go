package storagetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
)

// install tells what is missing.
const install = "PostgreSQL is needed for these tests: `apt-get install postgresql`, or set ULLIM_TEST_POSTGRES to the URL " +
	"of a server on which databases may be created (postgres://user:password@host:port/postgres)"

// Server is a PostgreSQL server for tests: that of ULLIM_TEST_POSTGRES, or one of our own in a temporary folder, started
// at the first Database and ended by Stop.
type Server struct {
	once  sync.Once
	url   string
	stop  func() error
	err   error
	mu    sync.Mutex
	count int
}

// Stop ends the server, if one was started. Call it in TestMain after the tests.
func (s *Server) Stop() error {
	if s.stop == nil {
		return nil
	}
	return s.stop()
}

// Database makes an empty database for one test and gives its URL. It fails the test if there is no PostgreSQL.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	s.once.Do(func() {
		if s.url = os.Getenv("ULLIM_TEST_POSTGRES"); s.url == "" {
			s.url, s.stop, s.err = startPostgres()
		}
	})
	if s.err != nil {
		tb.Fatalf("%s.\n%v", install, s.err)
	}
	s.mu.Lock()
	s.count++
	name := fmt.Sprintf("ullim_test_%d_%d", os.Getpid(), s.count)
	s.mu.Unlock()
	s.administer(tb, `CREATE DATABASE `+name+` TEMPLATE template0 ENCODING 'UTF8'`)
	tb.Cleanup(func() { s.administer(tb, `DROP DATABASE `+name+` WITH (FORCE)`) })
	u, err := url.Parse(s.url)
	if err != nil {
		tb.Fatalf("ULLIM_TEST_POSTGRES: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

// administer runs a statement in the server's own database.
func (s *Server) administer(tb testing.TB, statement string) {
	tb.Helper()
	db, err := sql.Open("pgx", s.url)
	if err != nil {
		tb.Fatalf("opening %s: %v", s.url, err)
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) //nolint:usetesting // also runs in clean-ups
	defer cancel()
	if _, err = db.ExecContext(ctx, statement); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}

// startPostgres makes a cluster in a temporary folder and starts it on a free port of the loopback interface.
func startPostgres() (serverURL string, stop func() error, err error) {
	bin, err := postgresBin()
	if err != nil {
		return "", nil, err
	}
	// Not the test's own temporary folder: its parents are closed to the user postgres.
	dir, err := os.MkdirTemp("", "ullim-postgres-") //nolint:usetesting // outlives the test that starts it
	if err != nil {
		return "", nil, err
	}
	remove := func() error { return os.RemoveAll(dir) }
	if err = os.Chmod(dir, 0o755); err != nil { // searchable by the user postgres
		return "", nil, errors.Join(err, remove())
	}
	if os.Geteuid() == 0 {
		if err = giveToPostgres(dir); err != nil {
			return "", nil, errors.Join(err, remove())
		}
	}
	data := filepath.Join(dir, "data")
	if err = asPostgres(dir, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
		"--locale=C", "--no-sync"); err != nil {
		return "", nil, errors.Join(err, remove())
	}
	pgCtl := filepath.Join(bin, "pg_ctl")
	for try := 0; ; try++ {
		var port int
		if port, err = freePort(); err != nil {
			return "", nil, errors.Join(err, remove())
		}
		options := fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=%s -c fsync=off "+
			"-c max_connections=200 -c shared_buffers=64MB", port, dir)
		err = asPostgres(dir, pgCtl, "-D", data, "-o", options, "-l", filepath.Join(dir, "log"), "-w", "-t", "60", "start")
		if err == nil {
			stop = func() error {
				return errors.Join(asPostgres(dir, pgCtl, "-D", data, "-m", "immediate", "-w", "stop"), remove())
			}
			return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port), stop, nil
		}
		if try == 2 { // somebody may take a free port before PostgreSQL does
			text, _ := os.ReadFile(filepath.Join(dir, "log")) // our own file
			return "", nil, errors.Join(fmt.Errorf("%w\n%s", err, text), remove())
		}
	}
}

// postgresBin finds the folder of initdb and pg_ctl; Debian keeps them out of PATH.
func postgresBin() (string, error) {
	var dirs []string
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil { //nolint:noctx // ends at once
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	versions, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Reverse(versions) // the newest first
	dirs = append(dirs, versions...)
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, dir := range dirs {
		_, errInit := os.Stat(filepath.Join(dir, "initdb"))
		_, errCtl := os.Stat(filepath.Join(dir, "pg_ctl"))
		if errInit == nil && errCtl == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("initdb and pg_ctl are in none of %q, nor in PATH", dirs)
}

// giveToPostgres makes the user postgres the owner of dir: PostgreSQL refuses to run as root.
func giveToPostgres(dir string) error {
	u, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres: %w", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	return os.Chown(dir, uid, gid)
}

// asPostgres runs a command, as the user postgres if we are root.
func asPostgres(dir string, command string, args ...string) error {
	argv := append([]string{command}, args...)
	if os.Geteuid() == 0 {
		quoted := make([]string, len(argv))
		for i, a := range argv {
			quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		argv = []string{"su", "postgres", "-s", "/bin/sh", "-c", strings.Join(quoted, " ")}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) // commands of our own
	cmd.Dir = dir
	// A file, not a pipe: the server inherits it, and a pipe would be waited for as long as the server runs.
	out, err := os.CreateTemp("", "ullim-postgres-out-") //nolint:usetesting // as above
	if err != nil {
		return err
	}
	defer func() {
		_ = out.Close()
		_ = os.Remove(out.Name())
	}()
	cmd.Stdout, cmd.Stderr = out, out
	if err = cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s: %w\n%s", filepath.Base(command), err, text)
	}
	return nil
}

// freePort asks the kernel for a port.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // ends at once
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port //nolint:errcheck,forcetypeassert // a TCP listener has a TCP address
	return port, l.Close()
}

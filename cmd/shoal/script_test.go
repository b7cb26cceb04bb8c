package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"shoal/bt/bttest"
)

var update = flag.Bool("update", false, "write the output that scripts expect")

func TestMain(m *testing.M) {
	name := filepath.Base(os.Args[0])
	if strings.HasPrefix(name, "git-annex-") || name == "aria2c" { // links that scripts had installed
		main()
	}
	testscript.Main(m, map[string]func(){"shoal": main, "await": await, "converse": converse})
}

// TestScripts runs testdata/script/*.txtar, which specify the command line, against the real program: all of them in a network
// of their own, where a packet that leaves the machine is an error; those that -run names, TestScripts/NAME, here and now.
func TestScripts(t *testing.T) {
	t.Parallel()
	some := *update || strings.Contains(flag.Lookup("test.run").Value.String(), "/")
	if !some && !bttest.Watched() && bttest.HaveNamespaces() {
		bttest.NoPacketLeaves(t, "-test.run=^TestScripts$")
		return
	}
	torrents, err := filepath.Abs("../../testdata/torrents")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Deadline:            time.Now().Add(8 * time.Minute), // of a command that hangs
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Vars = append(env.Vars,
				"HOME="+home, "TORRENTS="+torrents, "TERM=dumb",
				// Nothing leaves the machine.
				"SHOAL_NO_DHT=1", "SHOAL_LISTEN=127.0.0.1",
				// All scripts are one source on lo, of which no more than so many packets a minute are heeded: whether one hears
				// another would be chance. TestShareOnLAN has discovery, in a network of its own.
				"SHOAL_LPD=0",
				"NOBODY=127.0.0.1:1", // a peer that never answers
			)
			if dir, err := bttest.NewGitAnnex(); err == nil {
				env.Vars = append(env.Vars, "NEW="+dir)
			}
			return os.Mkdir(home, 0o755)
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"seed":     seedCmd,
			"foreign":  foreignCmd,
			"idle":     idleCmd,
			"peers":    peersCmd,
			"port":     portCmd,
			"torrent":  torrentCmd,
			"status":   statusCmd,
			"code":     codeCmd,
			"httpd":    httpdCmd,
			"tracker":  trackerCmd,
			"tour":     tourCmd,
			"fakenode": fakenodeCmd,
			"scan":     scanCmd,
		},
	})
}

// condition knows [namespaces], where a script may mount what it likes in a namespace of its own, [new:git-annex] for that
// of make peers-new, whose folder is $NEW and which SHOAL_REQUIRE_NEW demands, and [peer:PROGRAM] for programs of other people, which may be absent except where SHOAL_REQUIRE_PEERS is set.
func condition(cond string) (bool, error) {
	if cond == "namespaces" {
		return exec.Command("unshare", "-rm", "true").Run() == nil, nil
	}
	if cond == "new:git-annex" {
		dir, err := bttest.NewGitAnnex()
		return dir != "", err
	}
	program, ok := strings.CutPrefix(cond, "peer:")
	if !ok {
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	have := havePeer(program)
	if !have && os.Getenv("SHOAL_REQUIRE_PEERS") != "" {
		return false, fmt.Errorf("%s is not installed", program)
	}
	return have, nil
}

// statusCmd is "status N command...": the command must end with that status.
func statusCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command [args]")
	}
	want := args[0]
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != want {
		ts.Fatalf("%s: status %s, want %s", strings.Join(args[1:], " "), got, want)
	}
}

package bt_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"

	"shoal/bt"
)

// childVar makes the test binary a program that downloads, for tests that kill it or give it a network of its own.
const childVar = "SHOAL_TEST_CHILD"

// child is what such a program does.
type child struct {
	Config      bt.Config
	Torrent     string // path
	Dir, Resume string
	Peers       []string
	Seed        bool
}

func (c child) env(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return childVar + "=" + string(b)
}

// run says "listening ADDR" when it seeds and "complete" when it has everything.
func (c child) run() error {
	src, err := bt.ParseSource(c.Torrent)
	if err != nil {
		return err
	}
	client, err := bt.NewClient(context.Background(), c.Config)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Download(context.Background(), src, bt.DownloadOptions{
		Dir: c.Dir, Resume: c.Resume, Peers: c.Peers, Seed: c.Seed,
		Done: func(*bt.DownloadResult) { fmt.Println("complete") },
		Progress: func(p bt.Progress) {
			if p.State == "seeding" {
				fmt.Println("listening", client.Addr())
			}
		},
	})
	return err
}

func TestMain(m *testing.M) {
	if job := os.Getenv(childVar); job != "" {
		var c child
		err := json.Unmarshal([]byte(job), &c)
		if err == nil {
			err = c.run()
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	parallel := false
	flag.Visit(func(f *flag.Flag) { parallel = parallel || f.Name == "test.parallel" })
	if !parallel {
		// Most tests with other people's programs wait for these; more of them than processors save time.
		_ = flag.Set("test.parallel", "4")
	}
	os.Exit(m.Run())
}

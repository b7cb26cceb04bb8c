package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// syncthingPair is two nodes of Syncthing with a configuration that finds nobody but each other. The folder is paused
// until join.
type syncthingPair struct {
	running
	apis [2]int // ports on 127.0.0.1
	made bool
}

const syncthingKey = "bench"

func (s *syncthingPair) start(ctx context.Context) error {
	if !s.made {
		if err := s.configure(ctx); err != nil {
			return err
		}
		s.made = true
	}
	err := s.startBoth(ctx, "GUI and API listening", func(at place) *exec.Cmd {
		cmd := exec.Command("syncthing", "serve", "--home="+at.home, "--no-browser", "--no-upgrade", "--no-default-folder")
		// Without it, there is a process more, which watches the one that works.
		cmd.Env = append(os.Environ(), "STMONITORED=yes", "HOME="+at.home)
		return cmd
	})
	if err != nil {
		return err
	}
	return s.until(ctx, "connected", func(i int) (bool, error) {
		var all struct {
			Connections map[string]struct{ Connected bool }
		}
		err := s.ask(ctx, i, http.MethodGet, "system/connections", "", &all)
		for _, c := range all.Connections {
			if c.Connected {
				return true, err
			}
		}
		return false, err
	})
}

// configure makes the identities, and a configuration for both.
func (s *syncthingPair) configure(ctx context.Context) error {
	var ids [2]string
	for i, at := range s.at {
		s.apis[i] = freePort()
		if out, err := exec.CommandContext(ctx, "syncthing", "generate", "--home="+at.home, "--no-default-folder").CombinedOutput(); err != nil {
			return fmt.Errorf("syncthing generate: %w: %s", err, out)
		}
		out, err := exec.CommandContext(ctx, "syncthing", "--home="+at.home, "--device-id").Output()
		if err != nil {
			return fmt.Errorf("syncthing --device-id: %w", err)
		}
		ids[i] = strings.TrimSpace(string(out))
	}
	for i, at := range s.at {
		config := fmt.Sprintf(syncthingConfig, at.folder, ids[0], ids[1], s.at[0].port, s.at[1].port, s.apis[i], syncthingKey, at.port)
		if err := os.WriteFile(filepath.Join(at.home, "config.xml"), []byte(config), 0o600); err != nil {
			return err
		}
	}
	return nil
}

const syncthingConfig = `<configuration version="35">
  <folder id="bench" label="bench" path="%[1]s" type="sendreceive" rescanIntervalS="3600" fsWatcherEnabled="true" fsWatcherDelayS="10">
    <filesystemType>basic</filesystemType>
    <device id="%[2]s"></device>
    <device id="%[3]s"></device>
    <paused>true</paused>
  </folder>
  <device id="%[2]s" name="first" compression="metadata"><address>tcp://127.0.0.1:%[4]d</address></device>
  <device id="%[3]s" name="second" compression="metadata"><address>tcp://127.0.0.1:%[5]d</address></device>
  <gui enabled="true" tls="false"><address>127.0.0.1:%[6]d</address><apikey>%[7]s</apikey></gui>
  <options>
    <listenAddress>tcp://127.0.0.1:%[8]d</listenAddress>
    <globalAnnounceEnabled>false</globalAnnounceEnabled>
    <localAnnounceEnabled>false</localAnnounceEnabled>
    <relaysEnabled>false</relaysEnabled>
    <natEnabled>false</natEnabled>
    <reconnectionIntervalS>5</reconnectionIntervalS>
    <urAccepted>-1</urAccepted>
    <crashReportingEnabled>false</crashReportingEnabled>
    <autoUpgradeIntervalH>0</autoUpgradeIntervalH>
    <startBrowser>false</startBrowser>
    <setLowPriority>false</setLowPriority>
  </options>
</configuration>
`

func (s *syncthingPair) join(ctx context.Context) error {
	for i := range s.at {
		if err := s.ask(ctx, i, http.MethodPatch, "config/folders/bench", `{"paused":false}`, nil); err != nil {
			return err
		}
	}
	return nil
}

// ask uses the REST interface of one of the nodes.
func (s *syncthingPair) ask(ctx context.Context, i int, method, path, body string, to any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://127.0.0.1:%d/rest/%s", s.apis[i], path), strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-API-Key", syncthingKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("asking syncthing for %s: %s", path, resp.Status)
	}
	if to == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(to)
}

// until waits until something is true of both nodes.
func (s *syncthingPair) until(ctx context.Context, what string, is func(i int) (bool, error)) error {
	for i := range s.at {
		for {
			ok, err := is(i)
			if err != nil {
				return err
			}
			if ok {
				break
			}
			if err := pause(ctx, 5*pollEvery); err != nil {
				return fmt.Errorf("waiting until syncthing is %s: %w", what, err)
			}
		}
	}
	return nil
}

func (s *syncthingPair) settled(ctx context.Context, files int) (at time.Time, hashed int64, err error) {
	err = s.until(ctx, "idle", func(i int) (bool, error) {
		var st struct {
			State                  string
			GlobalFiles, NeedFiles int
		}
		err := s.ask(ctx, i, http.MethodGet, "db/status?folder=bench", "", &st)
		return st.State == "idle" && st.GlobalFiles == files && st.NeedFiles == 0, err
	})
	return time.Now(), -1, err
}

func (s *syncthingPair) sent(ctx context.Context) (int64, error) {
	var all struct {
		Total struct{ OutBytesTotal int64 }
	}
	err := s.ask(ctx, 0, http.MethodGet, "system/connections", "", &all)
	if err == nil && all.Total.OutBytesTotal == 0 {
		err = errors.New("syncthing says that it has sent nothing")
	}
	return all.Total.OutBytesTotal, err
}

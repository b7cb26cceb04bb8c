package commands

import (
	"math"
	"testing"
	"time"

	"shoal/bt"
)

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "500": 500, "500B": 500, "500K": 512000, "500k": 512000, "5M": 5 << 20, "1.5G": 3 << 29, "1KB": 1000, "2MB": 2e6,
		"1KiB": 1024, "1Gi": 1 << 30, "1T": 1 << 40, "0.5K": 512, ".5K": 512, "9223372036854775807": math.MaxInt64,
	} {
		if got, err := bt.ParseSize(in); err != nil || got != want {
			t.Errorf("bt.ParseSize(%q) = %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "K", "-1", "+1", "1 K", "1X", "1KK", "1e3", "0x10", "inf", "nan", "1.2.3", "8388608T", "9223372036854775808", "1_0", "1bb", "."} {
		if got, err := bt.ParseSize(in); err == nil {
			t.Errorf("bt.ParseSize(%q) = %d, want an error", in, got)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"0", "1.5G", "500KB", "9223372036854775807", "1e9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := bt.ParseSize(s)
		if err != nil {
			return
		}
		if n < 0 {
			t.Fatalf("bt.ParseSize(%q) = %d", s, n)
		}
		if again, err := bt.ParseSize(formatSize(n)); err != nil || again != n {
			t.Fatalf("bt.ParseSize(formatSize(%d)) = %d, %v", n, again, err)
		}
	})
}

func TestRate(t *testing.T) {
	var v rateValue
	if err := v.Set("5M/s"); err != nil || v != 5<<20 || v.String() != "5M" {
		t.Errorf("5M/s is %d, %v, shown as %s", v, err, v.String())
	}
}

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"0": 0, "90": 90 * time.Second, "90s": 90 * time.Second, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour,
		"1d12h": 36 * time.Hour, "100ms": 100 * time.Millisecond, "1.5h": 90 * time.Minute,
	} {
		if got, err := parseDuration(in); err != nil || got != want {
			t.Errorf("parseDuration(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "s", "-1s", "+1s", "1d-1h", "d", "1.5d", "1x", "99999999999999h", "65535d2562047h"} {
		if got, err := parseDuration(in); err == nil {
			t.Errorf("parseDuration(%q) = %v, want an error", in, got)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"0", "90", "1d12h", "1h30m", "1.5h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseDuration(s)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("parseDuration(%q) = %v", s, d)
		}
		if again, err := parseDuration(formatDuration(d)); err != nil || again != d {
			t.Fatalf("%q is %v, shown as %s, read as %v, %v", s, d, formatDuration(d), again, err)
		}
	})
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 5 * time.Minute: "5m", time.Hour: "1h", 90 * time.Second: "1m30s", 10 * time.Hour: "10h", 20 * time.Minute: "20m"} {
		if got := formatDuration(d); got != want {
			t.Errorf("%v is shown as %s, want %s", d, got, want)
		}
	}
}

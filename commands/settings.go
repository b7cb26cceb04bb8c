package commands

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// settle gives each flag that was not typed its value from the environment, else from the configuration file.
func (g *globals) settle(cmd *cobra.Command) error {
	file, config, err := readConfig(cmd.Root())
	if err != nil {
		return err
	}
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if failed != nil || f.Changed || !configurable(f.Name) {
			return
		}
		variable := envName(f.Name)
		if value := os.Getenv(variable); value != "" { // empty is unset
			if err := setFlag(f, envValues(f, value)); err != nil {
				failed = usageErrorf("reading %s from the environment: %w", variable, err)
			}
			return
		}
		if value, ok := lookup(config, cmd, f.Name); ok {
			if err := setFlag(f, value); err != nil {
				failed = usageErrorf("reading %s: key %q: %w", file, f.Name, err)
			}
		}
	})
	return failed
}

// configurable reports whether a flag may stand in the environment and the configuration file.
func configurable(name string) bool { return name != "help" && name != "version" }

// envName is the environment variable of a flag.
func envName(flag string) string {
	return "SHOAL_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// envValues are the values of a flag in the environment. Those of a list are separated by line breaks, or, when there
// are none, by white space.
func envValues(f *pflag.Flag, value string) []string {
	if _, list := f.Value.(pflag.SliceValue); !list {
		return []string{value}
	}
	if strings.Contains(value, "\n") {
		return strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' })
	}
	return strings.Fields(value)
}

// setFlag sets a flag without marking it as typed.
func setFlag(f *pflag.Flag, values []string) error {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return list.Replace(values)
	}
	if len(values) != 1 {
		return errors.New("a list, where one value is wanted")
	}
	if err := f.Value.Set(values[0]); err != nil {
		return about(values[0], err)
	}
	return nil
}

// readConfig reads and checks the configuration file; it need not exist.
func readConfig(root *cobra.Command) (file string, config map[string]any, err error) {
	dir := xdg("XDG_CONFIG_HOME", ".config")
	if dir == "" {
		return "", nil, nil
	}
	file = filepath.Join(dir, "config.toml")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil, nil
	}
	if err != nil {
		return file, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if _, err := toml.Decode(string(text), &config); err != nil {
		return file, nil, usageErrorf("reading %s: %w", file, err)
	}
	if err := checkKeys(root, config, ""); err != nil {
		return file, nil, usageErrorf("reading %s: %w", file, err)
	}
	return file, config, nil
}

// checkKeys checks that each key of a table names a flag of the command, or of any command in the top-level table, and
// that each table in it names a command below.
func checkKeys(cmd *cobra.Command, table map[string]any, path string) error {
	for key, value := range table {
		if sub, ok := value.(map[string]any); ok {
			c := child(cmd, key)
			if c == nil {
				return fmt.Errorf("unknown table %q: no such command", path+key)
			}
			if err := checkKeys(c, sub, path+key+"."); err != nil {
				return err
			}
			continue
		}
		if !configurable(key) || !knows(cmd, key) {
			if dashed := strings.ReplaceAll(key, "_", "-"); dashed != key && knows(cmd, dashed) {
				return fmt.Errorf("unknown key %q: it is written %q", path+key, path+dashed)
			}
			return fmt.Errorf("unknown key %q", path+key)
		}
		if _, err := configValues(value); err != nil {
			return fmt.Errorf("key %q: %w", path+key, err)
		}
	}
	return nil
}

func child(cmd *cobra.Command, name string) *cobra.Command {
	for _, c := range cmd.Commands() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

// knows reports whether a command, or one below it, has a flag.
func knows(cmd *cobra.Command, flag string) bool {
	if cmd.Flag(flag) != nil {
		return true
	}
	for _, c := range cmd.Commands() {
		if knows(c, flag) {
			return true
		}
	}
	return false
}

// lookup finds a flag in the table of the command or, failing that, in those around it.
func lookup(config map[string]any, cmd *cobra.Command, flag string) (values []string, ok bool) {
	tables := []map[string]any{config}
	for _, name := range strings.Fields(cmd.CommandPath())[1:] {
		sub, _ := tables[len(tables)-1][name].(map[string]any)
		tables = append(tables, sub)
	}
	for i := len(tables) - 1; i >= 0; i-- {
		for key, value := range tables[i] {
			// A key may be another spelling of the flag, which the flag set knows.
			if f := cmd.Flag(key); f != nil && f.Name == flag {
				values, err := configValues(value)
				return values, err == nil
			}
		}
	}
	return nil, false
}

// configValues are the words that would be typed for a TOML value.
func configValues(v any) ([]string, error) {
	switch v := v.(type) {
	case string, bool, int64, float64:
		return []string{fmt.Sprint(v)}, nil
	case []any:
		var all []string
		for _, one := range v {
			words, err := configValues(one)
			if err != nil {
				return nil, err
			}
			all = append(all, words...)
		}
		return all, nil
	}
	return nil, errors.New("want a text, a number, true, false or a list")
}

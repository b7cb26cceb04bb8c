// Command docgen writes what is generated from the tree of commands: completions/ and docs/man/ below the folder that
// its argument names. SOURCE_DATE_EPOCH dates the man pages.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"shoal/commands"
)

// files are the names that shells look for.
var files = map[string]string{"bash": "shoal.bash", "zsh": "_shoal", "fish": "shoal.fish", "powershell": "shoal.ps1"}

func main() {
	flag.Parse()
	if err := generate(flag.Arg(0)); err != nil {
		log.Fatal(err)
	}
}

func generate(dir string) error {
	root := commands.Root()
	for shell, name := range files {
		if err := writeCompletion(root, filepath.Join(dir, "completions", name), shell); err != nil {
			return err
		}
	}
	man := filepath.Join(dir, "docs", "man")
	if err := errors.Join(os.RemoveAll(man), os.MkdirAll(man, 0o755)); err != nil {
		return err
	}
	// The help command is cobra's: its page says nothing.
	root.SetHelpCommand(&cobra.Command{Use: "no-help", Hidden: true})
	err := doc.GenManTreeFromOpts(root, doc.GenManTreeOptions{
		Header:           &doc.GenManHeader{Section: "1", Source: "shoal", Manual: "shoal"},
		Path:             man,
		CommandSeparator: "-",
	})
	if err != nil {
		return fmt.Errorf("generating man pages: %w", err)
	}
	return nil
}

func writeCompletion(root *cobra.Command, path, shell string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return commands.WriteCompletion(root, f, shell)
}

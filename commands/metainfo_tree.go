package commands

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"shoal/commands/internal/ui"
)

// A treeNode is a folder or a file of a torrent.
type treeNode struct {
	name     string
	bytes    int64
	children []*treeNode
}

// writeTree draws the files of a torrent.
func writeTree(w io.Writer, t *torrentInfo) {
	root := &treeNode{name: t.Name}
	folders := map[string]*treeNode{"": root}
	for _, f := range t.Files {
		if !t.Folder {
			root.bytes = f.Bytes
			continue
		}
		parts := strings.Split(f.Path, "/")
		at := root
		at.bytes += f.Bytes
		for i, part := range parts {
			path := strings.Join(parts[:i+1], "/")
			next := folders[path]
			if next == nil {
				next = &treeNode{name: part}
				folders[path] = next
				at.children = append(at.children, next)
			}
			next.bytes += f.Bytes
			at = next
		}
	}
	fmt.Fprintf(w, "%s  %s\n", ui.Quote(root.name), ui.Size(root.bytes))
	root.draw(w, "")
}

// draw writes the children of a node, each line beginning with indent.
func (n *treeNode) draw(w io.Writer, indent string) {
	slices.SortFunc(n.children, func(a, b *treeNode) int { return strings.Compare(a.name, b.name) })
	for i, c := range n.children {
		branch, below := "├── ", "│   "
		if i == len(n.children)-1 {
			branch, below = "└── ", "    "
		}
		fmt.Fprintf(w, "%s%s%s  %s\n", indent, branch, ui.Quote(c.name), ui.Size(c.bytes))
		c.draw(w, indent+below)
	}
}

// Package db is what a node remembers: one SQLite file, whose loss costs time and never data (docs/shares.md §6.1b).
package db

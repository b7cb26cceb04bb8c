// Package keystore keeps the content of git-annex keys in the folder of a share: what a special remote with share=NAME
// does.
//
// Each key is a plain file, annex/REPOSITORY/XX/KEY below the folder ([Key.Path]). A [Folder] puts, gets and removes such
// files, and needs no node: one that runs sees what changed, a later "shoal share sync" finds it. A [Store] is a folder and
// the share that it is of: it asks the node for what is not on this machine, and for the proof that others have it.
//
// A tree that git-annex exports is files under their own names instead, at the top of the folder ([Store.At]).
//
// Several processes may use one folder at once: a file has its name when it is whole and durable, and not before.
package keystore

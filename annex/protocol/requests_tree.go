package protocol

import (
	"context"
	"errors"
	"strconv"
)

// treeRequest finds those requests that are about trees: exports and imports.
func treeRequest(msg string) (q request, ok bool) {
	if q, ok = exportRequest(msg); ok {
		return q, true
	}
	switch msg {
	case "IMPORTSUPPORTED":
		q = request{0, importSupported}
	case "LISTIMPORTABLECONTENTS":
		q = request{0, listImport}
	case "RETRIEVEIMPORT":
		q = request{1, func(ctx context.Context, r Remote, j *Job, f []string) {
			j.outcome(msg, r.RetrieveImport(ctx, j, j.name, j.s.abs(f[0])))
		}}
	case "CHECKPRESENTIMPORT":
		q = request{1, func(ctx context.Context, r Remote, j *Job, f []string) {
			ok, err := r.PresentImport(ctx, j, f[0], j.name)
			j.present(f[0], ok, err)
		}}
	case "IMPORTKEY":
		q = request{2, importKey}
	}
	return q, q.do != nil
}

func exportRequest(msg string) (q request, ok bool) {
	switch msg {
	case "EXPORTSUPPORTED":
		q = request{0, func(ctx context.Context, r Remote, j *Job, _ []string) {
			if ok, err := r.ExportSupported(ctx, j); err != nil || !ok {
				j.answer(msg + "-FAILURE")
				return
			}
			j.answer(msg + "-SUCCESS")
		}}
	case "TRANSFEREXPORT":
		q = request{3, func(ctx context.Context, r Remote, j *Job, f []string) {
			j.transfer(f, func(key, file string) error { return r.StoreExport(ctx, j, key, j.name, file) },
				func(key, file string) error { return r.RetrieveExport(ctx, j, key, j.name, file) })
		}}
	case "CHECKPRESENTEXPORT":
		q = request{1, func(ctx context.Context, r Remote, j *Job, f []string) {
			ok, err := r.PresentExport(ctx, j, f[0], j.name)
			j.present(f[0], ok, err)
		}}
	case "REMOVEEXPORT":
		q = request{1, func(ctx context.Context, r Remote, j *Job, f []string) {
			j.outcome("REMOVE", r.RemoveExport(ctx, j, f[0], j.name), f[0])
		}}
	case "RENAMEEXPORT":
		q = request{2, func(ctx context.Context, r Remote, j *Job, f []string) {
			j.bare(msg, r.RenameExport(ctx, j, f[0], j.name, f[1]), f[0])
		}}
	case "REMOVEEXPORTDIRECTORY":
		q = request{1, func(ctx context.Context, r Remote, j *Job, f []string) {
			j.bare(msg, r.RemoveExportDirectory(ctx, j, f[0]))
		}}
	}
	return q, q.do != nil
}

// bare is outcome for answers that have no room for a message: the user is told by INFO.
func (j *Job) bare(word string, err error, args ...string) {
	end := "-SUCCESS"
	switch {
	case errors.Is(err, ErrUnsupported):
		j.answer(unsupported)
		return
	case err != nil:
		_ = j.Info("%v", err) // the failure itself is answered below
		end = "-FAILURE"
	}
	line := word + end
	for _, a := range args {
		line += " " + a
	}
	j.answer(line)
}

func importSupported(ctx context.Context, r Remote, j *Job, _ []string) {
	yes, err := r.ImportSupported(ctx, j)
	switch {
	case err != nil || yes == ImportNo:
		j.answer("IMPORTSUPPORTED-FAILURE")
	case yes == ImportRequired:
		j.answer("IMPORTREQUIRED")
	default:
		j.answer("IMPORTSUPPORTED-SUCCESS")
	}
}

func listImport(ctx context.Context, r Remote, j *Job, _ []string) {
	const msg = "LISTIMPORTABLECONTENTS"
	list, err := r.ListImport(ctx, j)
	var lines []string
	for _, f := range list {
		if breaks(f.Name) || breaks(f.ID) || f.Name == "" {
			continue // a name that git-annex could not be told
		}
		lines = append(lines, "IMPORTABLECONTENT "+strconv.FormatInt(f.Size, 10)+" "+f.Name,
			"IMPORTABLECONTENTIDENTIFIER "+f.ID)
	}
	if err != nil {
		j.outcome(msg, err)
		return
	}
	j.answer(append(lines, msg+"-SUCCESS")...)
}

func importKey(ctx context.Context, r Remote, j *Job, f []string) {
	const msg = "IMPORTKEY"
	size, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil || size < 0 {
		j.answer(msg + "-FAILURE the size is no number")
		return
	}
	key, err := r.ImportKey(ctx, j, j.name, size, f[1])
	switch {
	case errors.Is(err, ErrSkip):
		j.answer(msg + "-SKIP")
	case err == nil && (key == "" || breaks(key)):
		j.answer(msg + "-FAILURE there is no key")
	case err == nil:
		j.answer(msg + "-SUCCESS " + key)
	default:
		j.outcome(msg, err)
	}
}

package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"shoal/annex/protocol"
	"shoal/annex/protocol/protocoltest"
)

// all is a remote that answers every request, from what it is asked about.
type all struct{ protocol.Unsupported }

var errNo = errors.New("no\nway")

func no(key string) error {
	if strings.HasPrefix(key, "BAD") {
		return errNo
	}
	return nil
}

func (all) Configs() []protocol.Config { return []protocol.Config{{Name: "share", Text: "which one"}} }
func (all) Init(_ context.Context, j *protocol.Job) error {
	v, err := j.GetConfig("share")
	if err != nil || v == "" {
		return errors.Join(err, errNo)
	}
	user, pass, err := j.GetCreds("token")
	if err != nil {
		return err
	}
	return errors.Join(j.SetConfig("share", v+" x"), j.SetCreds("token", user, pass), j.SetWanted("present"))
}
func (all) Cost(context.Context, *protocol.Job) (int, error) { return 150, nil }
func (all) Availability(context.Context, *protocol.Job) (protocol.Availability, error) {
	return protocol.Unavailable, nil
}
func (all) Ordered(context.Context, *protocol.Job) (bool, error)             { return true, nil }
func (all) Store(_ context.Context, _ *protocol.Job, key, file string) error { return no(key) }
func (all) Retrieve(_ context.Context, j *protocol.Job, key, file string) error {
	urls, err := j.GetURLs(key, "")
	if err != nil {
		return err
	}
	return errors.Join(j.Debug("%s from %v", file, urls), j.Progress(7), no(key))
}
func (all) Present(_ context.Context, _ *protocol.Job, key string) (bool, error) {
	return key == "HERE", no(key)
}
func (all) Remove(_ context.Context, j *protocol.Job, key string) error {
	return errors.Join(j.SetURLMissing(key, "http://a"), j.SetURIMissing(key, "x:a b"), j.SetURLPresent(key, "http://b"),
		j.SetURIPresent(key, "x:b"), no(key))
}
func (all) Claim(_ context.Context, _ *protocol.Job, url string) (bool, error) {
	return strings.HasPrefix(url, "x:"), nil
}
func (all) CheckURL(_ context.Context, _ *protocol.Job, url string) (protocol.URLContents, error) {
	one := protocol.URLFile{URL: url, Size: -1, Name: "a b"}
	switch url {
	case "x:none":
		return protocol.URLContents{}, errNo
	case "x:one":
		return protocol.URLContents{Files: []protocol.URLFile{one}}, nil
	}
	return protocol.URLContents{Multi: true, Files: []protocol.URLFile{one, {URL: url + "#2", Size: 5, Name: "ü\u00a0c\n"}}}, nil
}
func (all) Whereis(_ context.Context, j *protocol.Job, key string) (string, error) {
	uuid, err := j.GetUUID()
	dir, err2 := j.GetGitDir()
	name, err3 := j.GetGitRemoteName()
	return strings.Join([]string{uuid, dir, name}, ","), errors.Join(err, err2, err3, no(key))
}
func (all) Info(_ context.Context, j *protocol.Job) ([]protocol.Field, error) {
	a, err := j.DirHash("K")
	b, err2 := j.DirHashLower("K")
	c, err3 := j.GetWanted()
	d, err4 := j.GetState("K")
	err5 := j.SetState("K", "v")
	return []protocol.Field{{Name: "all", Value: a + b + c + d}}, errors.Join(err, err2, err3, err4, err5)
}
func (all) ExportSupported(context.Context, *protocol.Job) (bool, error) { return true, nil }
func (all) StoreExport(_ context.Context, j *protocol.Job, key, name, file string) error {
	return errors.Join(j.Info("%s is %s", file, name), no(key))
}
func (all) RetrieveExport(_ context.Context, j *protocol.Job, key, name, file string) error {
	return errors.Join(j.Info("%s is %s", file, name), no(key))
}
func (all) PresentExport(_ context.Context, _ *protocol.Job, key, name string) (bool, error) {
	return name == "a b", no(key)
}
func (all) RemoveExport(_ context.Context, _ *protocol.Job, key, name string) error { return no(key) }
func (all) RenameExport(_ context.Context, j *protocol.Job, key, name, to string) error {
	return errors.Join(j.Debug("%s → %s", name, to), no(key))
}
func (all) RemoveExportDirectory(_ context.Context, _ *protocol.Job, dir string) error {
	return no(dir)
}
func (all) ImportSupported(context.Context, *protocol.Job) (protocol.Import, error) {
	return protocol.ImportRequired, nil
}
func (all) ListImport(context.Context, *protocol.Job) ([]protocol.Importable, error) {
	return []protocol.Importable{{Name: "a b", Size: 3, ID: "i d"}, {Name: "no\nname"}}, nil
}
func (all) RetrieveImport(_ context.Context, j *protocol.Job, name, file string) error {
	return no(name)
}
func (all) PresentImport(_ context.Context, _ *protocol.Job, key, name string) (bool, error) {
	return name == "a b", no(key)
}
func (all) ImportKey(_ context.Context, _ *protocol.Job, name string, size int64, id string) (string, error) {
	if name == "skip" {
		return "", protocol.ErrSkip
	}
	return fmt.Sprintf("SHA1-s%d--%s", size, id), no(name)
}

// script has every request, and every way to answer it.
const script = `
	< LISTCONFIGS
	> CONFIG share which one
	> CONFIGEND
	< EXPORTSUPPORTED
	> EXPORTSUPPORTED-SUCCESS
	< IMPORTSUPPORTED
	> IMPORTREQUIRED
	< INITREMOTE
	> GETCONFIG share
	< VALUE a b
	> GETCREDS token
	< CREDS me my secret
	> SETCONFIG share a b x
	> SETCREDS token me my secret
	> SETWANTED present
	> INITREMOTE-SUCCESS
	< INITREMOTE
	> GETCONFIG share
	< VALUE 
	> INITREMOTE-FAILURE no way
	< PREPARE
	> PREPARE-SUCCESS
	< GETCOST
	> COST 150
	< GETAVAILABILITY
	> AVAILABILITY UNAVAILABLE
	< GETORDERED
	> ORDERED
	< TRANSFER STORE K a file
	> TRANSFER-SUCCESS STORE K
	< TRANSFER STORE BAD-é a
	> TRANSFER-FAILURE STORE BAD-é no way
	< TRANSFER RETRIEVE K ../a file
	> GETURLS K 
	< VALUE x:1
	< VALUE x:2 3
	< VALUE 
	> DEBUG /repo/a file from [x:1 x:2 3]
	> PROGRESS 7
	> TRANSFER-SUCCESS RETRIEVE K
	< TRANSFER FLY K f
	> UNSUPPORTED-REQUEST
	< CHECKPRESENT HERE
	> CHECKPRESENT-SUCCESS HERE
	< CHECKPRESENT K
	> CHECKPRESENT-FAILURE K
	< CHECKPRESENT BAD
	> CHECKPRESENT-UNKNOWN BAD no way
	< REMOVE K
	> SETURLMISSING K http://a
	> SETURIMISSING K x:a b
	> SETURLPRESENT K http://b
	> SETURIPRESENT K x:b
	> REMOVE-SUCCESS K
	< CLAIMURL x:a b
	> CLAIMURL-SUCCESS
	< CLAIMURL http://a
	> CLAIMURL-FAILURE
	< CHECKURL x:one
	> CHECKURL-CONTENTS UNKNOWN a b
	< CHECKURL x:none
	> CHECKURL-FAILURE no way
	< CHECKURL x:two
	> CHECKURL-MULTI x:two UNKNOWN a_b x:two#2 5 ü_c_
	< CHECKURL x: y
	> CHECKURL-FAILURE the URL "x: y" has spaces
	< WHEREIS K
	> GETUUID
	< VALUE U
	> GETGITDIR
	< VALUE ../.git
	> GETGITREMOTENAME
	< VALUE origin
	> WHEREIS-SUCCESS U,/repo/.git,origin
	< GETINFO
	> DIRHASH K
	< VALUE a/
	> DIRHASH-LOWER K
	< VALUE b/
	> GETWANTED
	< VALUE c
	> GETSTATE K
	< VALUE d
	> SETSTATE K v
	> INFOFIELD all
	> INFOVALUE a/b/cd
	> INFOEND
	< EXPORT a b
	< TRANSFEREXPORT STORE K f
	> INFO /repo/sub/f is a b
	> TRANSFEREXPORT-IS-TRANSFER
	< EXPORT a b
	< TRANSFEREXPORT RETRIEVE BAD f
	> INFO /repo/sub/f is a b
	> TRANSFER-FAILURE RETRIEVE BAD no way
	< EXPORT a b
	< CHECKPRESENTEXPORT K
	> CHECKPRESENT-SUCCESS K
	< CHECKPRESENTEXPORT K
	> CHECKPRESENT-FAILURE K
	< EXPORT a b
	< REMOVEEXPORT K
	> REMOVE-SUCCESS K
	< EXPORT a b
	< RENAMEEXPORT K c d
	> DEBUG a b → c d
	> RENAMEEXPORT-SUCCESS K
	< EXPORT a b
	< RENAMEEXPORT BAD c
	> DEBUG a b → c
	> INFO no way
	> RENAMEEXPORT-FAILURE BAD
	< REMOVEEXPORTDIRECTORY a b
	> REMOVEEXPORTDIRECTORY-SUCCESS
	< LISTIMPORTABLECONTENTS
	> IMPORTABLECONTENT 3 a b
	> IMPORTABLECONTENTIDENTIFIER i d
	> LISTIMPORTABLECONTENTS-SUCCESS
	< IMPORT a b
	< RETRIEVEIMPORT f
	> RETRIEVEIMPORT-SUCCESS
	< IMPORT BAD
	< RETRIEVEIMPORT f
	> RETRIEVEIMPORT-FAILURE no way
	< IMPORT a b
	< CHECKPRESENTIMPORT K
	> CHECKPRESENT-SUCCESS K
	< IMPORT a b
	< IMPORTKEY 3 i
	> IMPORTKEY-SUCCESS SHA1-s3--i
	< IMPORT skip
	< IMPORTKEY 3 i
	> IMPORTKEY-SKIP
	< IMPORT a
	< IMPORTKEY x i
	> IMPORTKEY-FAILURE the size is no number
	< FUTURE thing
	> UNSUPPORTED-REQUEST
	< 
	> UNSUPPORTED-REQUEST
`

// TestConversation has every request answered, in both forms.
func TestConversation(t *testing.T) {
	t.Parallel()
	script := strings.ReplaceAll(script, "TRANSFEREXPORT-IS-TRANSFER", "TRANSFER-SUCCESS STORE K")
	for name, form := range protocoltest.Forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := protocoltest.Start(t, all{}, "/repo/sub", form)
			c.Play(script)
			if err := c.End(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestUnsupported: a remote that can do nothing says so, and nothing else.
func TestUnsupported(t *testing.T) {
	t.Parallel()
	c := protocoltest.Start(t, protocol.Unsupported{}, "/", protocoltest.Plain)
	c.Play("< LISTCONFIGS\n> CONFIGEND\n< INITREMOTE\n> INITREMOTE-SUCCESS\n< PREPARE\n> PREPARE-SUCCESS\n")
	for _, q := range []string{"GETCOST", "GETAVAILABILITY", "GETORDERED", "TRANSFER STORE K f", "TRANSFER RETRIEVE K f",
		"CHECKPRESENT K", "REMOVE K", "CLAIMURL u", "CHECKURL u", "WHEREIS K", "GETINFO", "TRANSFEREXPORT STORE K f",
		"CHECKPRESENTEXPORT K", "REMOVEEXPORT K", "RENAMEEXPORT K n", "REMOVEEXPORTDIRECTORY d", "LISTIMPORTABLECONTENTS",
		"RETRIEVEIMPORT f", "CHECKPRESENTIMPORT K", "IMPORTKEY 1 i"} {
		c.Play("< " + q + "\n> UNSUPPORTED-REQUEST\n")
	}
	c.Play("< EXPORTSUPPORTED\n> EXPORTSUPPORTED-FAILURE\n< IMPORTSUPPORTED\n> IMPORTSUPPORTED-FAILURE\n")
	if err := c.End(); err != nil {
		t.Error(err)
	}
}

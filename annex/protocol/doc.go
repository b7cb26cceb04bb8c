// Package protocol speaks git-annex's external special remote protocol, version 2
// (https://git-annex.branchable.com/design/external_special_remote_protocol/), on the side of the remote.
//
// git-annex starts a process and sends it requests, a line each. [Serve] reads them, calls a [Remote] for each, and
// writes what it answers. While a request is worked on, the remote may ask git-annex for settings, credentials and
// URLs, and tell it of progress: that goes through the request's [Job]. With the ASYNC extension requests run side by
// side, each a job with a number; without it there is one job at a time.
package protocol

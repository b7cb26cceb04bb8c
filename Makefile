# make build | install | demo | peers | peers-new | test | race | check | soak | fuzz | crash | big | bench | benchpeers | docs

export CGO_ENABLED = 0
PREFIX    ?= /usr/local
FUZZTIME  ?= 60s
CHECKS    ?= 20000
KILLS     ?= 20
STEPS     ?= 1
SIMSECONDS ?= 600
GO        ?= go
PACKAGES   = ./...
ENGINES    = $(patsubst %,./%/...,$(wildcard bt share annex))
# The module that stands in for go-utp is one of its own: ./... does not reach it.
GOUTP      = bt/internal/goutp
# What the tests talk to.
PEERS      = git git-annex aria2 transmission-cli transmission-daemon qbittorrent-nox python3-libtorrent opentracker mktorrent jq tmux age keepassxc zbar-tools nix-bin
BENCHPEERS = syncthing rsync
# Of npm, into build/peers. Its optional parts are for peers; a tracker needs none.
NODEPEERS  = bittorrent-tracker@11.2.3

.PHONY: build install demo peers peers-new test race check generated soak fuzz crash big bench benchpeers docs

build:
	$(GO) build -trimpath -ldflags '-s -w' -o build/shoal ./cmd/shoal

install: build docs
	install -D -m 755 build/shoal $(DESTDIR)$(PREFIX)/bin/shoal
	install -D -m 644 completions/shoal.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/shoal
	install -D -m 644 completions/_shoal $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_shoal
	install -D -m 644 completions/shoal.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/shoal.fish
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1

demo: build
	./build/shoal demo

peers:
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PEERS)
	command -v npm >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm
	test -d build/peers/node_modules || npm install --prefix build/peers --omit=optional --ignore-scripts --no-audit --no-fund $(NODEPEERS)

# What Debian does not have yet in its stable release, into build/peers. Tests that want it are skipped without, unless
# SHOAL_REQUIRE_NEW is set.
peers-new:
	bt/bttest/git-annex-new.sh build/peers/git-annex-new

test:
	$(GO) test -p 1 -parallel 8 -timeout 15m $(TESTFLAGS) $(PACKAGES)

# Simulations, what is there for its size, other people's programs, and a second run take minutes under the race detector: make test
# has them.
race:
	CGO_ENABLED=1 $(GO) test -race -short -p 1 -parallel 8 -skip '^TestSim|^TestShareRows|^TestBig|^TestReal|^TestNoPacketLeaves' $(ENGINES)

check: generated
	@files=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$files" || { echo "gofmt: $$files"; exit 1; }
	$(GO) vet $(PACKAGES)
	$(GO) tool staticcheck $(PACKAGES)
	cd $(GOUTP) && $(GO) vet ./... && $(GO) test ./...

# The generated files are those that the commands of today generate.
generated:
	@rm -rf build/generated && mkdir -p build/generated
	@SOURCE_DATE_EPOCH=$(EPOCH) $(GO) run ./commands/internal/docgen build/generated
	diff -r completions build/generated/completions
	diff -r docs/man build/generated/docs/man

# Man pages carry a month; it is that of the first release, so that they change only when the commands do.
EPOCH = 1767225600
docs:
	SOURCE_DATE_EPOCH=$(EPOCH) $(GO) run ./commands/internal/docgen .

# What follows runs in full what the tests sample.
# Properties of the storage, and of states that are merged, shown and planned, with many more random histories; a failure
# prints its seed. Those of share/index are checked in 20 parts.
soak:
	$(GO) test -count=1 -timeout 60m -run 'NeverBelieve' ./bt -rapid.checks=$(CHECKS)
	$(GO) test -count=1 -timeout 60m -run 'Histories|Forks|Plans|Views|Arrange' ./share/index -rapid.checks=$$(($(CHECKS) / 4))
	SHOAL_SIM_SECONDS=$(SIMSECONDS) $(GO) test -count=1 -timeout 24h -v -run 'TestSim' ./share/node
	SHOAL_SOAK=60 $(GO) test -count=1 -timeout 10m -v -run 'TestSyncCluster' ./share/node

fuzz:
	@for package in $$($(GO) list $(PACKAGES)); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

# Processes killed at each step of the storage, and at moments of chance; nodes killed, and the power of their disks cut, at
# each system call that changes a file. Power cuts want root and loop devices, and are skipped without.
crash:
	$(GO) test -count=1 -timeout 30m -run 'Kill|Crash' ./bt
	SHOAL_TEST_EVERY_STEP=1 $(GO) test -count=1 -timeout 30m -v -run 'TestApply(Killed|Meets|Late|Faults)' ./share/disk
	$(GO) test -count=$(KILLS) -timeout 30m -run 'TestScripts/interrupt' ./cmd/shoal
	SHOAL_TEST_EVERY_STEP=$(STEPS) $(GO) test -count=1 -timeout 90m -parallel 12 -v -run 'TestCrash|TestPowerCut' ./cmd/shoal

# Torrents of gigabytes; it wants 6 GiB of TMPDIR.
big:
	SHOAL_BIG=1 $(GO) test -count=1 -timeout 60m -run 'Big' $(PACKAGES)

# Runs shoal and the other installed clients in turn, and prints ratios.
bench: build
	$(GO) run ./bt/bttest/bench run -shoal $(CURDIR)/build/shoal $(BENCHFLAGS)
	$(GO) run ./bt/bttest/bench share -shoal $(CURDIR)/build/shoal $(SHAREBENCHFLAGS)
	$(GO) run ./bt/bttest/bench annex -shoal $(CURDIR)/build/shoal $(ANNEXBENCHFLAGS)

# What only make bench compares with.
benchpeers:
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(BENCHPEERS)

# What a person types. `make help` lists it; CI runs .ci/run.

PREFIX ?= /usr/local
# Where p11-kit and others look for modules. On Debian: make install PREFIX=/usr libdir=/usr/lib/x86_64-linux-gnu
libdir ?= $(PREFIX)/lib
bindir ?= $(PREFIX)/bin
includedir ?= $(PREFIX)/include
datadir ?= $(PREFIX)/share
moduledir ?= $(libdir)/pkcs11
# What has the name of a program or the module of SoftHSM's is in a directory of its own: first in PATH, it takes SoftHSM's place.
softhsmdir ?= $(PREFIX)/libexec/strongroom/softhsm

CARGO ?= cargo
INSTALL ?= install

# The three ways to be built that matter; all of the workspace, so that nothing is built twice.
release := $(CARGO) build --release --workspace
target := $(or $(CARGO_TARGET_DIR),target)
module := $(target)/release/libstrongroom.so
command := $(target)/release/strongroom
softhsm_programs := util keyconv dump-file

.PHONY: help build demo test torture lint docs install uninstall deb clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null || true

build: ## the module and the command, optimised
	@tools/need build
	$(release)

demo: ## the whole job once, with real programs: keys, certificates, TLS, a signed file, a wrapped key
	@tools/need demo
	$(release)
	@demo/run $(module)

test: ## every test, with real clients among them
	@tools/need test
	$(CARGO) test --workspace

torture: ## kills, damage, forks and full disks: a minute for each, optimised
	STRONGROOM_TORTURE=$(or $(STRONGROOM_TORTURE),60) $(CARGO) test --release --test torture -- --nocapture

lint: ## formatting, clippy, documentation
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --workspace --no-deps

# What was built is installed: run `make build` first, so that `sudo make install` compiles nothing as root.
install: ## what `make build` made, below $(DESTDIR)$(PREFIX); debug information apart, in .debug
	@test -e $(module) && test -e $(command) && test -e $(target)/release/strongroom-softhsm2-util || { echo "Nothing to install yet: run 'make build' first." >&2; exit 1; }
	$(INSTALL) -d $(DESTDIR)$(moduledir) $(DESTDIR)$(bindir) $(DESTDIR)$(includedir) $(DESTDIR)$(datadir)/p11-kit/modules
	$(INSTALL) -d $(DESTDIR)$(moduledir)/.debug
	objcopy --only-keep-debug $(module) $(DESTDIR)$(moduledir)/.debug/libstrongroom.so.debug
	objcopy --strip-unneeded --add-gnu-debuglink=$(DESTDIR)$(moduledir)/.debug/libstrongroom.so.debug $(module) $(DESTDIR)$(moduledir)/libstrongroom.so
	chmod 755 $(DESTDIR)$(moduledir)/libstrongroom.so
	$(INSTALL) -m 755 $(command) $(DESTDIR)$(bindir)/strongroom
	$(INSTALL) -d $(DESTDIR)$(softhsmdir)
	for program in $(softhsm_programs); do $(INSTALL) -m 755 $(target)/release/strongroom-softhsm2-$$program $(DESTDIR)$(softhsmdir)/softhsm2-$$program || exit 1; done
	$(INSTALL) -m 755 $(DESTDIR)$(moduledir)/libstrongroom.so $(DESTDIR)$(softhsmdir)/libsofthsm2.so
	$(INSTALL) -m 644 include/strongroom.h $(DESTDIR)$(includedir)/strongroom.h
	$(INSTALL) -d $(DESTDIR)$(datadir)/man/man1 $(DESTDIR)$(datadir)/bash-completion/completions $(DESTDIR)$(datadir)/zsh/site-functions
	$(command) man >$(DESTDIR)$(datadir)/man/man1/strongroom.1
	$(command) completions bash >$(DESTDIR)$(datadir)/bash-completion/completions/strongroom
	$(command) completions zsh >$(DESTDIR)$(datadir)/zsh/site-functions/_strongroom
	echo 'module: $(moduledir)/libstrongroom.so' >$(DESTDIR)$(datadir)/p11-kit/modules/strongroom.module
	$(INSTALL) -d $(DESTDIR)$(datadir)/doc/strongroom
	$(INSTALL) -m 644 docs/strongroom.toml README.md CHANGELOG.md $(DESTDIR)$(datadir)/doc/strongroom

uninstall: ## the reverse; tokens are left where they are
	rm -f $(DESTDIR)$(moduledir)/libstrongroom.so $(DESTDIR)$(moduledir)/.debug/libstrongroom.so.debug $(DESTDIR)$(bindir)/strongroom $(DESTDIR)$(includedir)/strongroom.h
	rm -f $(DESTDIR)$(datadir)/p11-kit/modules/strongroom.module $(DESTDIR)$(datadir)/man/man1/strongroom.1
	rm -f $(addprefix $(DESTDIR)$(softhsmdir)/softhsm2-,$(softhsm_programs))
	rm -f $(DESTDIR)$(softhsmdir)/libsofthsm2.so
	rm -rf $(DESTDIR)$(datadir)/doc/strongroom
	rm -f $(DESTDIR)$(datadir)/bash-completion/completions/strongroom $(DESTDIR)$(datadir)/zsh/site-functions/_strongroom

# The version is pinned, so that a new release of the tool cannot spoil a package. Built without optimisation: it runs for a second.
deb_version := 3.8.0
deb: ## a Debian package of what `make build` made, in target/debian
	@test -x $(target)/tools/bin/cargo-deb || CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
		$(CARGO) install --quiet --locked --no-default-features --version $(deb_version) --root $(target)/tools cargo-deb
	rm -rf target/package
	$(MAKE) --no-print-directory install DESTDIR=target/package PREFIX=/usr libdir=/usr/lib
	$(target)/tools/bin/cargo-deb --no-build --no-strip

clean: ## what was built
	$(CARGO) clean

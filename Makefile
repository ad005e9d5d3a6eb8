# heplake: `make help` says what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help

export CGO_ENABLED := 0
GO       ?= go
NPM      ?= npm
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT   ?= $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS  := -s -w -X github.com/heplake/heplake/internal/version.Version=$(VERSION) -X github.com/heplake/heplake/internal/version.Commit=$(COMMIT)
GOOS     := $(shell $(GO) env GOOS)
GOARCH   := $(shell $(GO) env GOARCH)

ENGINE_VERSION := 26.7.3-stable.1
ENGINE_NPM     := internal/embedded/npm
ENGINE_PACKAGE := @chdb/lib-$(GOOS)-$(subst amd64,x64,$(GOARCH))$(if $(filter linux,$(GOOS)),-gnu)
ENGINE         := bin/libchdb.so

PLUGIN     := grafana-plugin
PLUGIN_BIN := $(PLUGIN)/dist/heplake-app/datasource/gpx_heplake_$(GOOS)_$(GOARCH)

GOLANGCI_VERSION := v2.15.0
GOLANGCI         := bin/tools/golangci-lint-$(GOLANGCI_VERSION)

say = @printf '\033[1m%s\033[0m\n' "$(1)"

##@ Main

.PHONY: run
run: build ## Start heplake, replay a sample of real traffic and show what to do next
	@./internal/make/run.sh

.PHONY: build
build: bin/heplake $(ENGINE) plugin ## Build bin/heplake, the engine beside it and the Grafana plugin

.PHONY: test
test: test-deps $(ENGINE) plugin ## Run every test; installs what they need
	@./internal/make/test.sh

.PHONY: released-schema
released-schema: $(ENGINE) ## Keep the declared schema as that of a released version, for the tests of upgrades
	$(GO) test ./schema/migrate -run TestReleasedSchemasAreKept -released

.PHONY: e2e
e2e: test-deps build ## End to end only: the binary, real senders, the plugin in a browser
	@./internal/make/e2e.sh

.PHONY: soak
soak: $(ENGINE) ## Kill heplake and its engine KILLS times (default 200) and set their clock, under load, and compare sent with stored
	@HEPLAKE_SOAK=$(or $(KILLS),200) $(GO) test ./internal/kill -count=1 -v -timeout 6h
	@HEPLAKE_SOAK=$(or $(KILLS),200) $(GO) test ./internal/assemble -run TestTruthThroughTrouble -count=1 -v -timeout 6h

.PHONY: lint
lint: $(GOLANGCI) plugin-deps ## Check style: golangci-lint, tsc, eslint
	$(call say,lint)
	@$(GOLANGCI) run ./...
	@$(NPM) --prefix $(PLUGIN) run --silent typecheck
	@$(NPM) --prefix $(PLUGIN) run --silent lint

.PHONY: bench
bench: bin/heplake $(ENGINE) ## Measure: decoders, batches, load (see bench/README.md)
	@./bench/run.sh

.PHONY: bench-storage
bench-storage: $(ENGINE) ## Measure what a message costs on disk, by column and by ways of storing it
	@$(GO) test ./bench/storage -run '^$$' -bench . -benchtime 1x -timeout 3h

.PHONY: bench-latency
bench-latency: bin/heplake $(ENGINE) ## Measure answers of the API over 30 days of messages (MESSAGES, default 30 M; data/latency is kept)
	@$(GO) run ./bench/cmd/latency -messages $(or $(MESSAGES),30000000)

.PHONY: fuzz
fuzz: ## Fuzz each decoder for FUZZTIME (default 30s)
	@./internal/make/fuzz.sh $(FUZZTIME)

.PHONY: clean
clean: ## Remove what the other targets made; data/ stays
	@rm -rf bin artifacts $(PLUGIN)/dist

##@ Parts

.PHONY: bin/heplake
bin/heplake: ## The binary
	$(call say,build bin/heplake)
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/heplake

.PHONY: engine
engine: $(ENGINE) ## The embedded ClickHouse (libchdb, 540 MB, from npm)

# The lockfile pins linux/amd64; elsewhere the same version of the platform's package.
$(ENGINE): $(ENGINE_NPM)/package-lock.json
	$(call say,install the ClickHouse engine ($(ENGINE_PACKAGE) $(ENGINE_VERSION)$(comma) 540 MB))
	@if [ "$(GOOS)-$(GOARCH)" = linux-amd64 ]; then \
	  $(NPM) --prefix $(ENGINE_NPM) ci --silent; \
	else \
	  $(NPM) --prefix $(ENGINE_NPM) install --silent --no-save --no-package-lock $(ENGINE_PACKAGE)@$(ENGINE_VERSION); \
	fi
	@mkdir -p bin
	@ln -f $(ENGINE_NPM)/node_modules/$(ENGINE_PACKAGE)/libchdb.so $@ 2>/dev/null || cp $(ENGINE_NPM)/node_modules/$(ENGINE_PACKAGE)/libchdb.so $@
	@touch $@

comma := ,

.PHONY: plugin plugin-deps
plugin: plugin-deps $(PLUGIN_BIN) ## The Grafana plugin, in grafana-plugin/dist
	$(call say,build the Grafana plugin)
	@$(NPM) --prefix $(PLUGIN) run --silent build

plugin-deps: $(PLUGIN)/node_modules/.package-lock.json

$(PLUGIN)/node_modules/.package-lock.json: $(PLUGIN)/package-lock.json
	$(call say,install the plugin's npm packages)
	@$(NPM) --prefix $(PLUGIN) ci --silent
	@touch $@

.PHONY: $(PLUGIN_BIN)
$(PLUGIN_BIN):
	$(call say,build gpx_heplake)
	@mkdir -p $(@D)
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./$(PLUGIN)/cmd/gpx_heplake

.PHONY: test-deps
test-deps:
	@./internal/make/test-deps.sh

$(GOLANGCI):
	$(call say,install golangci-lint $(GOLANGCI_VERSION))
	@GOBIN=$(CURDIR)/bin/tools $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv bin/tools/golangci-lint $@

.PHONY: help
help: ## Print this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z0-9_\/-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

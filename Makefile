# ullim: `make help` lists the targets. `make demo` and `make test` set up all they need.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

CACHE := $(CURDIR)/.cache
TOOLS := $(CACHE)/tools
LINT := $(TOOLS)/golangci-lint
VERSITYGW := $(TOOLS)/versitygw
GOFLAGS_RACE := -race
export ULLIM_VERSITYGW := $(VERSITYGW)
# SQLite calls fsync where it does not know of fdatasync, which spares each commit the file's times: a tenth of what a call
# costs. As the packages of Debian are built.
export CGO_CFLAGS := -O2 -g -DHAVE_FDATASYNC=1

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: build
build: ## build bin/ullim
	@tools/setup.sh demo
	go build -o bin/ullim ./cmd/ullim

.PHONY: demo
demo: build ## five real calls on loopback, with a timeline and the contact records (under a minute)
	./bin/ullim try

.PHONY: run
run: build ## start the engine with the embedded default (data folder: ./data)
	./bin/ullim serve

.PHONY: test
test: ## everything: format, lint, import table, unit, both databases, both blob stores, SIPp, baresip, Chromium
	@tools/setup.sh test
	@$(MAKE) --no-print-directory tools lint build browser
	go test $(GOFLAGS_RACE) -timeout 20m $$(go list ./... | grep -v /internal/e2e$$)
	go test -timeout 10m -run 'Virtual|Whatever|ADay' ./internal/app
	ULLIM_TEST_SEEDS=1000 go test -timeout 10m -run Whatever ./sip
	go test -run 'Alloc|Hour' ./media/... # the race detector allocates by itself, and makes an hour of calls two minutes of work
	go test -tags opus,nolibopusfile ./media/opus ./media/archive
	go test $(GOFLAGS_RACE) -timeout 15m ./internal/e2e # last and alone: these tests listen in real time

.PHONY: tools
tools: $(LINT) $(VERSITYGW) ## build the pinned tools into .cache/tools

$(LINT): tools/go.mod tools/go.sum
	@mkdir -p $(TOOLS)
	go build -C tools -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

$(VERSITYGW): tools/go.mod tools/go.sum
	@mkdir -p $(TOOLS)
	go build -C tools -o $@ github.com/versity/versitygw/cmd/versitygw
	@touch $@

# JsSIP, the hand in Chromium, and the chat clients of Amazon, as the lock files say
PAGES := internal/e2e/browser internal/e2e/chatjs
.PHONY: browser
browser: $(PAGES:%=%/node_modules/.package-lock.json) ## install the packages of the browser and chat tests

%/node_modules/.package-lock.json: %/package-lock.json
	npm ci --prefix $* --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: lint
lint: $(LINT) ## format and lint, fails on a difference
	$(LINT) fmt --diff
	$(LINT) run --allow-parallel-runners ./...

.PHONY: fmt
fmt: $(LINT) ## format all Go files
	$(LINT) fmt

.PHONY: generate
generate: ## rewrite what is generated: docs/configuration.md, docs/openapi.json, docs/flow-test.schema.json
	ULLIM_UPDATE=1 go test ./internal/config ./internal/api/... ./ivr/flowtest -run 'Generated|Reference|OpenAPI' -count=1

.PHONY: fuzz
fuzz: ## fuzz every parser for 20 s each
	@for p in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
	    echo "$$p $$f"; go test $$p -run '^$$' -fuzz "^$$f$$" -fuzztime 20s -fuzzminimizetime 2s; done; done

.PHONY: bench
bench: ## the figures of docs/performance.md, ratios against a yardstick in the same run
	@tools/setup.sh bench
	go test -run '^$$' -bench 'Forward|Transcode|Play|Conference|Record|Commits|Contact|Read|Pick|Decisions|Historical' -benchmem -benchtime 300ms ./media ./acd ./storage
	go test -run '^$$' -bench Search -benchtime 20x -timeout 20m ./storage # a page of a search over 5 million records
	go test -run '^$$' -bench 'FirstAudio' -benchtime 1s ./prompts
	go test -run '^$$' -bench 'Publish500|Actions' -benchmem -benchtime 300ms ./ivr ./ivr/flowtest
	go test -run '^$$' -bench 'ThousandAgents' -benchtime 5000x ./internal/api/agent
	go test -run '^$$' -bench 'Regist|Trust|Flood' -benchmem -benchtime 300ms ./sip
	go test -run '^$$' -bench . -benchtime 1x -timeout 20m ./internal/e2e

.PHONY: clean
clean: ## remove what was built
	rm -rf bin .cache

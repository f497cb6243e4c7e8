# Needs Go, and nothing else that has to be installed by hand.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X main.version=$(VERSION)
# How long each fuzz target runs, and how often each benchmark.
FUZZTIME  ?= 20s
BENCHTIME ?= 1x
GOLANGCI_LINT         ?= golangci-lint
GOLANGCI_LINT_VERSION  = v2.15.0

.DEFAULT_GOAL := help
.PHONY: help demo test build lint fuzz torture bench microbench docs release clean

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## the main job on a simulated tenant, from the plan to the letter to Okta
	@go run ./cmd/ecplan demo

test: ## formatting, vet, and all tests with the race detector; what CI runs
	@.ci/test

build: ## bin/ecplan, with the version stamped in
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ecplan ./cmd/ecplan

lint: ## golangci-lint, if it is installed
	@if command -v $(GOLANGCI_LINT) >/dev/null; then \
		$(GOLANGCI_LINT) run; \
	else \
		echo "SKIPPED: lint, because golangci-lint is not installed. To install it:"; \
		echo "  go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)"; \
	fi

fuzz: ## each fuzz target for FUZZTIME (20s)
	@grep -rhoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' cmd internal pkg schemas -H | \
	while IFS=: read -r file func; do \
		echo "fuzz $${func#func } in $${file%/*}"; \
		go test "./$${file%/*}" -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) || exit 1; \
	done

torture: ## every fault at every request, and 10,000 random cases; takes about half an hour on 2 cores
	ECPLAN_TORTURE=1 GORACE=atexit_sleep_ms=50 go test -race -parallel 8 -timeout 3h -skip '^TestMisery$$' ./...
	ECPLAN_TORTURE=1 go test -parallel 4 -timeout 3h -run '^TestMisery$$' ./pkg/fleet

bench: build ## time, memory and requests of bin/ecplan on simulated tenants; writes docs/performance.*; about ten minutes
	go run ./bench

microbench: ## Go's benchmarks of single functions, each BENCHTIME (1x)
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./internal/auth0sim ./pkg/manifest ./pkg/tenant

docs: ## write the generated reference anew
	go test ./docs ./cmd/ecplan -run TestReference -update

release: ## dist/: static programs for Linux, macOS and Windows, and their checksums
	scripts/release $(VERSION)

clean: ## remove what was built
	rm -rf bin dist

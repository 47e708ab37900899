# Everything that is done with this repository. `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# The programs that check and generate, pinned. They are built into bin/ when they are first needed.
BUF_VERSION           := v1.75.0
PROTOC_GEN_GO_VERSION := v1.36.12
GOLANGCI_LINT_VERSION := v2.15.0
WORKFLOWCHECK_VERSION := v0.6.0
CONTROLLER_GEN_VERSION := v0.20.1
HELM_VERSION          := v4.3.1

BUF           := bin/.installed/buf@$(BUF_VERSION)
PROTOC_GEN_GO := bin/.installed/protoc-gen-go@$(PROTOC_GEN_GO_VERSION)
GOLANGCI_LINT := bin/.installed/golangci-lint@$(GOLANGCI_LINT_VERSION)
WORKFLOWCHECK := bin/.installed/workflowcheck@$(WORKFLOWCHECK_VERSION)
CONTROLLER_GEN := bin/.installed/controller-gen@$(CONTROLLER_GEN_VERSION)
HELM          := bin/.installed/helm@$(HELM_VERSION)
# Not to be had by `go install`; tools/unittest/go.mod pins it.
HELM_UNITTEST := bin/helm-unittest

MODULES   := proto platform platform/operator services tools
PACKAGES  := ./proto/... ./platform/... ./services/... ./tools/...
SERVICES  := accounts sales loyalty tickets analytics rollout
GENERATED := proto/gen proto/jsonschema proto/asyncapi proto/openapi proto/baseline.binpb platform/operator/config platform/operator/api charts/guanxi-crds/files

# Modules that the workspace does not have. Two of them, tools/kube and tools/unittest, have no Go files: they pin programs.
APART     := $(patsubst %/go.mod,%,$(wildcard tools/*/go.mod))

# What stands between the services and the broker, and is therefore tried on Apache Kafka as well. End-to-end tests that are
# about workers, pages, rights and figures, whatever the broker, run in make test only.
KAFKA_NOT := AtEachStep|TakenApart|BackupsAreRestored|ALinkThatIsCut|TheExamplesOfTheServicesPages|ThePizzaShop|AreWorth|WorkersAreKilled|TermsAreTried|NotLive|Rollout|ConversionIsTaken|TheTrace
KAFKA_PACKAGES := ./platform/bus/... ./platform/pg/outbox/... ./platform/pg/inbox/... ./tools/e2e/...

# What has tests (build tag temporal) that want a real Temporal server: every package with a live_test.go, so that none is
# forgotten.
TEMPORAL_PACKAGES := $(patsubst %/live_test.go,./%,$(wildcard platform/*/live_test.go platform/*/*/live_test.go services/*/internal/*/live_test.go))

# Kubernetes' own programs, for tests on a real kube-apiserver and a real node. tools/kube/go.mod pins them.
KUBE_VERSION  := $(shell awk '$$1 == "k8s.io/kubernetes" {print $$2}' tools/kube/go.mod)
KUBE_PROGRAMS := etcd kube-apiserver kubectl kube-controller-manager kube-scheduler kubelet kube-proxy
CLUSTER_IMAGES := pause demo-deps guanxi operator
KUBE_SERVER   := bin/kube/etcd bin/kube/kube-apiserver bin/kube/kube-controller-manager bin/kube/kubectl

SAY := @echo '==>'

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##
## Running

.PHONY: dev
dev: ## build, start everything on loopback, load demo data on the first start, print where to look
	$(SAY) 'building the development stack; the first time this takes about seven minutes, as it has the Temporal server in it'
	@go run ./tools/devstack dev $(ARGS)

.PHONY: console
console: ## test and build the console's page with npm, for the next build of the program to have it in it
	$(SAY) 'the page of the console: types from OpenAPI, tests, build, size'
	@cd services/console/web && npm ci --no-audit --no-fund && npm run build && npm test

.PHONY: demo-check
demo-check: ## start the platform from nothing in a temporary folder, import a real cohort, compare the figures, stop
	$(SAY) 'building the development stack; the first time this takes about seven minutes, as it has the Temporal server in it'
	@go run ./tools/devstack demo-check $(ARGS)

.PHONY: bench
bench: ## measure, each figure beside its baseline in the same run
	$(SAY) 'building and measuring; this takes some minutes and wants a quiet machine'
	@go run ./tools/bench $(ARGS)

##
## Checking

# The end-to-end tests build programs, of which Go's cache of test results knows nothing: they always run.
.PHONY: test
test: ## all tests of all modules, on a real PostgreSQL and a Kafka within the process
	$(SAY) 'testing all modules; the first time this compiles for about seven minutes'
	@go test -timeout 30m $$(go list $(PACKAGES) | grep -v /tools/e2e)
	$(SAY) 'testing the built programs from end to end, with every part killed at will'
	@go test -count=1 -timeout 45m ./tools/e2e/...
	$(SAY) 'testing what needs a real Temporal server'
	@go run ./tools/devstack run -- go test -tags temporal -run Live $(TEMPORAL_PACKAGES)

.PHONY: test-race
test-race: ## the tests of platform and services with the race detector
	$(SAY) 'testing platform and services with the race detector; the first time this compiles for some minutes'
	@go test -race -timeout 30m ./proto/... ./platform/... ./services/...

.PHONY: test-kafka
test-kafka: ## the tests of bus, outbox and inbox and the fault tests against three brokers of Apache Kafka
	$(SAY) 'starting Apache Kafka; the first time this downloads it from Maven Central'
	@go run ./tools/kafka run -- go test -count=1 -p 1 -timeout 45m -skip '$(KAFKA_NOT)' $(KAFKA_PACKAGES)

.PHONY: test-console
test-console: ## test the console's page in a Chromium of the machine, on the platform with demo data, which it starts
	$(SAY) 'building page and platform, starting everything in a temporary folder, opening the browser'
	@cd services/console/web && { test -d node_modules/playwright-core || npm ci --no-audit --no-fund; }
	@go run ./tools/devstack run --platform -- npm --prefix services/console/web run test:browser

.PHONY: test-kube
test-kube: $(KUBE_SERVER) $(HELM) ## test the operator's kinds, the charts, and the built operator beside the built platform, on a real kube-apiserver
	$(SAY) 'testing on a real kube-apiserver'
	@go test -tags kube -p 1 -parallel 1 -timeout 15m ./platform/operator/...
	@cd tools/charts && GOWORK=off go test -tags kube -run RealServer -timeout 10m ./...
	$(SAY) 'testing the built operator beside the built platform'
	@go test -tags kube -count=1 -run TheOperator -timeout 15m ./tools/e2e

# Without KUBECONFIG a node is made of this machine, as root, with the images in it; tools/node says what it wants installed.
.PHONY: test-cluster
test-cluster: bin/kube/kubectl $(HELM) ## install Guanxi on a node made of this machine (root), use, upgrade and break it; KUBECONFIG= names another cluster
	$(SAY) 'building the programs; the first time this takes many minutes'
	@go build -o bin/devstack ./tools/devstack
	@go build -o bin/cluster ./tools/cluster
	@if [ -n "$${KUBECONFIG:-}" ]; then exec bin/cluster -devstack bin/devstack $(ARGS); fi; \
	$(MAKE) kube-binaries bin/kube/coredns images IMAGES="$(CLUSTER_IMAGES)"; \
	(cd tools/node && GOWORK=off go build -o ../../bin/node .); \
	exec bin/node run $(CLUSTER_IMAGES:%=--image bin/images/%.tar) bin/cluster -devstack bin/devstack $(ARGS)

# What the charts render is judged by the program and by the services' OpenAPI as well, which Go's cache does not know of.
.PHONY: charts
charts: $(HELM) $(HELM_UNITTEST) ## lint the Helm charts, run their suites, compare what they render, and hold it to the program and to Pod Security
	$(SAY) 'the suites of the charts, charts/*/tests'
	@$(HELM_UNITTEST) --strict charts/*
	$(SAY) 'testing the charts; the first time this builds Helm'
	@cd tools/charts && GOWORK=off go test -count=1 -timeout 10m ./...

.PHONY: images
images: ## build the images into bin/images/ as OCI archives, without Docker; VERSION= is their tag (default the charts'), IMAGES= says which
	@cd tools/images && GOWORK=off go run . $(if $(VERSION),-version $(VERSION)) $(IMAGES)

.PHONY: test-images
test-images: ## test the building of images, as root: what is in them runs in a root folder of its own, as nobody
	@cd tools/images && GOWORK=off go test -count=1 -timeout 10m ./...

.PHONY: e2e
e2e: ## the built binary over its public surfaces, with every part of the installation killed at will
	$(SAY) 'building the development stack and breaking it; this takes some minutes'
	@go test -count=1 -timeout 45m -v ./tools/e2e/...

.PHONY: lint
lint: $(GOLANGCI_LINT) $(WORKFLOWCHECK) ## golangci-lint, the proof that its borders hold, and workflowcheck
	$(SAY) 'proving that the rules about borders hold'
	@go run ./tools/lintcheck
	@for dir in services/*/; do \
		name=$$(basename $$dir); \
		test -e $$dir$$name.go || continue; \
		grep -q "^        services-$$name:" .golangci.yml \
			|| { echo "services/$$name has no depguard rule services-$$name in .golangci.yml"; exit 1; }; \
	done
	$(SAY) 'golangci-lint; the first time this takes some minutes'
	@bin/golangci-lint run --allow-serial-runners $(PACKAGES)
	@for module in $(APART); do \
		test -n "$$(find $$module -name '*.go' -print -quit)" || continue; \
		(cd $$module && GOWORK=off ../../bin/golangci-lint run --allow-serial-runners --config ../../.golangci.yml ./...) || exit 1; \
	done
	$(SAY) 'workflowcheck: workflows must do the same when they are replayed'
	@bin/workflowcheck ./platform/... ./services/...

.PHONY: verify
verify: generate ## generate anew and fail on a difference; formatting, contracts and go.mod files as well
	$(SAY) 'comparing what was generated with what is committed'
	@changed=$$(git status --porcelain --untracked-files=all -- $(GENERATED)); \
	if [ -n "$$changed" ]; then \
		echo "$$changed"; git --no-pager diff --stat -- $(GENERATED); \
		echo "what is generated is not what is committed: commit what make generate has written"; exit 1; \
	fi
	$(SAY) 'gofmt'
	@unformatted=$$(gofmt -l proto platform services tools); \
	if [ -n "$$unformatted" ]; then echo "$$unformatted"; echo "not formatted: gofmt -w does it"; exit 1; fi
	$(SAY) 'go mod tidy'
	@for module in $(MODULES) $(APART); do \
		test -n "$$(find $$module -name '*.go' -print -quit)" || continue; \
		(cd $$module && GOWORK=off go mod tidy -diff) || { echo "$$module/go.mod is not tidy: go mod tidy does it"; exit 1; }; \
	done

##
## Generating

.PHONY: generate
generate: generate-proto generate-openapi generate-crds ## Go code, JSON Schema and AsyncAPI from the contracts, OpenAPI from the handlers

# The baseline moves only forward: what breaks it is refused before it is written.
.PHONY: generate-proto
generate-proto: $(BUF) $(PROTOC_GEN_GO)
	$(SAY) 'contracts: lint, promises kept, Go code, JSON Schema, AsyncAPI'
	@bin/buf lint proto
	@bin/buf format proto --diff --exit-code
	@bin/buf breaking proto --against proto/baseline.binpb
	@cd proto && ../bin/buf generate
	@bin/buf build proto --as-file-descriptor-set -o - | go run ./tools/eventdocs -proto proto
	@bin/buf build proto --exclude-source-info -o proto/baseline.binpb

.PHONY: generate-openapi
generate-openapi:
	$(SAY) 'OpenAPI from the handlers of $(SERVICES)'
	@mkdir -p bin proto/openapi
	@go build -o bin/guanxi ./services/cmd/guanxi
	@for service in $(SERVICES); do \
		bin/guanxi openapi $$service > bin/$$service.yaml || exit 1; \
		mv bin/$$service.yaml proto/openapi/$$service.yaml; \
	done

# The generator never takes away the definition of a kind that is no more.
.PHONY: generate-crds
generate-crds: $(CONTROLLER_GEN)
	$(SAY) 'definitions of the operator'"'"'s kinds, and what it may do'
	@rm -rf platform/operator/config/crd platform/operator/config/rbac
	@cd platform/operator && GOWORK=off ../../bin/controller-gen object crd:maxDescLen=400 rbac:roleName=guanxi-operator \
		paths=./... output:crd:dir=config/crd output:rbac:dir=config/rbac
	@rm -f charts/guanxi-crds/files/* && cp platform/operator/config/crd/*.yaml charts/guanxi-crds/files/
	@cp platform/operator/config/rbac/role.yaml charts/guanxi-operator/files/

.PHONY: tools
tools: $(BUF) $(PROTOC_GEN_GO) $(GOLANGCI_LINT) $(WORKFLOWCHECK) $(CONTROLLER_GEN) $(HELM) $(HELM_UNITTEST) ## build the pinned programs into bin/

# install: $(1) is the package; the target's name carries the program and its version.
define install
	$(SAY) 'building $(notdir $@) into bin/; this may take some minutes'
	@GOWORK=off GOFLAGS= GOBIN=$(CURDIR)/bin go install $(1)@$(lastword $(subst @, ,$@))
	@mkdir -p $(dir $@)
	@rm -f $(firstword $(subst @, ,$@))@*
	@touch $@
endef

$(BUF):
	$(call install,github.com/bufbuild/buf/cmd/buf)
$(PROTOC_GEN_GO):
	$(call install,google.golang.org/protobuf/cmd/protoc-gen-go)
$(GOLANGCI_LINT):
	$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint)
$(WORKFLOWCHECK):
	$(call install,go.temporal.io/sdk/contrib/tools/workflowcheck)
$(CONTROLLER_GEN):
	$(call install,sigs.k8s.io/controller-tools/cmd/controller-gen)
$(HELM):
	$(call install,helm.sh/helm/v4/cmd/helm)
$(HELM_UNITTEST): tools/unittest/go.mod tools/unittest/go.sum
	$(SAY) 'building helm-unittest into bin/; this may take some minutes'
	@mkdir -p bin
	@cd tools/unittest && GOWORK=off GOFLAGS= go build -ldflags '-s -w' -o ../../$@ github.com/helm-unittest/helm-unittest/cmd/helm-unittest
	@touch $@

.PHONY: kube-binaries
kube-binaries: $(KUBE_PROGRAMS:%=bin/kube/%) ## build etcd and Kubernetes' programs from their modules into bin/kube/
	@echo 'bin/kube/ has Kubernetes $(KUBE_VERSION): $(KUBE_PROGRAMS)'

# The package of each program; a command of Kubernetes unless it is said otherwise.
KUBE_PACKAGE_etcd := go.etcd.io/etcd/server/v3
kube_package = $(or $(KUBE_PACKAGE_$(1)),k8s.io/kubernetes/cmd/$(1))

# Without the version a kube-apiserver calls itself v0.0.0-master, and clients that look at it refuse to speak to it.
KUBE_LDFLAGS := -s -w -X k8s.io/component-base/version.gitVersion=$(KUBE_VERSION) \
	-X k8s.io/component-base/version.gitMajor=1 \
	-X k8s.io/component-base/version.gitMinor=$(word 2,$(subst ., ,$(KUBE_VERSION)))

# The names of Services are resolved by CoreDNS, with the few plugins that tools/node/dns puts into it.
bin/kube/coredns: tools/node/go.mod tools/node/go.sum $(wildcard tools/node/dns/*.go)
	$(SAY) 'building CoreDNS into bin/kube/'
	@mkdir -p bin/kube
	@cd tools/node && GOWORK=off GOFLAGS= go build -ldflags '-s -w' -o ../../$@ ./dns

bin/kube/%: tools/kube/go.mod tools/kube/go.sum
	$(SAY) 'building $* into bin/kube/; the first time this takes up to eight minutes'
	@mkdir -p bin/kube
	@cd tools/kube && GOWORK=off GOFLAGS= go build -ldflags '$(KUBE_LDFLAGS)' -o ../../$@ $(call kube_package,$*)
	@touch $@

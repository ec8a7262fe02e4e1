# The commands of this project. Each installs what is missing first; docs in README.md and CONTRIBUTING.md.
NODE := node_modules/.bin/node
IMAGE ?=
QUICK ?=
ONLY ?=
ARGS ?=

.PHONY: help run serve test check bench prerequisites

help:
	@echo 'make run              pull an image and run a pod with it, on a berth of its own; needs root'
	@echo 'make run IMAGE=NAME   the same with an image of your choice'
	@echo 'make serve            run the daemon in the foreground; needs root'
	@echo 'make test             all checks and tests; those that run pods need root'
	@echo 'make check            formatting, lint, types, layers and unit tests'
	@echo 'make bench            measure berth beside containerd and, if it is on PATH, crio; needs root'
	@echo 'make bench QUICK=1 ONLY=pod-start,exec ARGS=--help    small sizes, some scenarios, more options'

run: prerequisites
	@$(NODE) scripts/run-demo.ts $(IMAGE)

serve: prerequisites
	@exec bin/berth serve

test: prerequisites
	@$(NODE) scripts/test-all.ts

check: prerequisites
	@npm run --silent check

# The client's garbage collection must not wait for threads that the daemons keep from the processors.
bench: prerequisites
	@$(NODE) --single-threaded-gc bench/main.ts $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(ARGS)

prerequisites:
	@scripts/install-prerequisites.sh

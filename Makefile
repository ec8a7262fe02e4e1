# The commands of this project. Each installs what is missing first; docs in README.md and CONTRIBUTING.md.
NODE := node_modules/.bin/node
IMAGE ?=

.PHONY: help run serve test check prerequisites

help:
	@echo 'make run              pull an image and run a pod with it, on a berth of its own; needs root'
	@echo 'make run IMAGE=NAME   the same with an image of your choice'
	@echo 'make serve            run the daemon in the foreground; needs root'
	@echo 'make test             all checks and tests; those that run pods need root'
	@echo 'make check            formatting, lint, types, layers and unit tests'

run: prerequisites
	@$(NODE) scripts/run-demo.ts $(IMAGE)

serve: prerequisites
	@exec bin/berth serve

test: prerequisites
	@$(NODE) scripts/test-all.ts

check: prerequisites
	@npm run --silent check

prerequisites:
	@scripts/install-prerequisites.sh

# Every target works from a bare checkout: it makes .venv, installs what is missing, then runs.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
# Kernels with a thread for each core wait for each other beside other work.
LAB := OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} NUMBA_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/jupyter lab

.DEFAULT_GOAL := book
.PHONY: book page test install lab edit serve links bench experiments coursework grade clean help

book: $(INSTALLED)  ## build the website, executing every chapter that changed (the default)
	$(BIN)/jupyter-book build . -W -n --keep-going
	@echo "The book: _build/html/index.html"

page: $(INSTALLED)  ## build one page, executing it alone: make page PAGE=notebooks/03_modality_gap
	BOOK_PAGE='$(or $(PAGE),$(error Name a page: make page PAGE=notebooks/03_modality_gap))' \
	  $(BIN)/jupyter-book build . -W -n --keep-going
	@echo "The page: _build/html/$(PAGE:.md=).html. The others are as they were; make book builds all."

test: $(INSTALLED)  ## unit tests, every chapter as a test, and the checks of the built website
	$(BIN)/python -m pytest $(ARGUMENTS)

install: $(INSTALLED)  ## only set up .venv

lab: book  ## open the notebooks in JupyterLab, in workbook/, where they are yours to change
	$(BIN)/python book/_ext/workbook.py _build/html/edition workbook
	$(LAB) --LabApp.app_settings_dir=book/lab/readers workbook

edit: $(INSTALLED)  ## open the sources of the chapters in JupyterLab, for authors
	$(LAB) --LabApp.app_settings_dir=book/lab/authors --config book/_ext/edit_config.py notebooks

serve: book  ## build, then serve the website at http://localhost:8000
	$(BIN)/python -m http.server --directory _build/html --bind localhost 8000

links: $(INSTALLED)  ## ask every address in the book whether it is still there; needs a network
	$(BIN)/jupyter-book build . --builder linkcheck

bench: $(INSTALLED)  ## time and memory of the package against what one would run instead
	$(BIN)/python -m pytest benchmarks -n 0 --benchmark-enable $(ARGUMENTS)

experiments: $(INSTALLED)  ## run what is missing of the sweeps, and store it; ARGUMENTS=--list lists them
	$(BIN)/python -m modality_gap.experiments $(ARGUMENTS)

coursework: $(INSTALLED)  ## student notebooks of every chapter into coursework/: make coursework VARIANT=2
	$(BIN)/python -m modality_gap.coursework release --variant $(or $(VARIANT),1) $(ARGUMENTS)

grade: $(INSTALLED)  ## mark a zip or a folder: make grade SUBMISSIONS=moodle.zip [WORKSHEET=grades.csv]
	$(BIN)/python -m modality_gap.coursework grade $(if $(WORKSHEET),--worksheet '$(WORKSHEET)') $(ARGUMENTS) \
	  '$(or $(SUBMISSIONS),$(error Name a zip or a folder: make grade SUBMISSIONS=moodle.zip))'

clean:  ## remove the built website and every cache, keep .venv
	rm -rf _build .pytest_cache .ruff_cache .mypy_cache .hypothesis .benchmarks
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1#/p' Makefile | awk -F'#' '{ printf "%-20s%s\n", $$1, $$2 }'

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || { \
	  echo "This book needs Python 3.11, 3.12 or 3.13; '$(PYTHON)' is missing or is another version."; \
	  echo "Name one that you have, for example: make $(or $(MAKECMDGOALS),book) PYTHON=python3.12"; \
	  exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { \
	  rm -rf .venv; \
	  echo "'$(PYTHON)' cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; \
	  exit 1; }
	$(BIN)/python -m pip install --no-compile -c constraints.txt -e '.[book,test]'
	@touch $@

.PHONY: check
check: ; ./test

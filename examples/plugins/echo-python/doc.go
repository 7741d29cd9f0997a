// Package echo-python is the test of a talk plugin in Python, which is in echo.py.
package echopython

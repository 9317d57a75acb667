#!/usr/bin/env python3
"""Who is refused, and who gets in: tests of two files, in one process and on one running fabric."""
import security_admission_test as admission
import security_enrol_test as enrolment
from fabric import main, tests_of

if __name__ == "__main__":
    main(tests_of(enrolment.__name__) + tests_of(admission.__name__))

//go:build unix

package disk

import "syscall"

const errQuota = syscall.EDQUOT

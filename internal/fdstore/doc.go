// Package fdstore leaves sockets with the service manager while the process is not
// there. systemd keeps them open over a restart, also over one after a crash, and gives
// them to the next process: what comes meanwhile waits in the kernel (systemd.service(5),
// FileDescriptorStoreMax=; sd_notify(3), FDSTORE=; sd_listen_fds(3)).
package fdstore

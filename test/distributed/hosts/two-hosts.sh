#!/usr/bin/env bash
# two-hosts.sh KIND COMMAND…: runs a command on two ranks of MPI, each on a host of its own: two network namespaces with
# names of their own and a cable between them. A line on the standard input pulls the cable of the second one. It is run by
# hosts.ts inside namespaces of users, mounts and processes, so that nothing of it is left behind.
set -euo pipefail
kind=$1
shift

# The names of network namespaces are kept in /run/netns.
mount -t tmpfs none /run
for host in a b; do ip netns add "$host"; done
ip link add a0 netns a type veth peer name b0 netns b
for host in a b; do
  ip -n "$host" link set lo up
  ip -n "$host" addr add "10.77.0.$([ "$host" = a ] && echo 1 || echo 2)/24" dev "${host}0"
  ip -n "$host" link set "${host}0" up
done

# What mpirun calls in place of ssh: with options, the host, and a command for its shell.
agent=/run/agent
cat >"$agent" <<'AGENT'
#!/usr/bin/env bash
while [[ $1 == -* ]]; do shift; done
shift
exec nsenter --net=/run/netns/b unshare --uts bash -c 'hostname b; eval "$0"' "$*"
AGENT
chmod +x "$agent"

if [ "$kind" = mpirun.openmpi ]; then
  options=(--allow-run-as-root --host 10.77.0.1:1,10.77.0.2:1 --tag-output --bind-to none
    --mca plm_rsh_agent "$agent" --mca pml ob1 --mca btl tcp,self
    --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24)
else
  options=(-hosts 10.77.0.1:1,10.77.0.2:1 -prepend-rank -launcher ssh -launcher-exec "$agent" -iface a0)
fi
nsenter --net=/run/netns/a unshare --uts bash -c 'hostname a; exec "$@"' - "$kind" -n 2 "${options[@]}" "$@" &
read -r _
ip -n b link set b0 down
wait $!

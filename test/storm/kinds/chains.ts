import { firewallThatRuns } from '../guest-rules.ts';
import { differing, type Kind } from '../kind.ts';

/** Hops of an active service chain, edited by a shell: `path` and the rules of the fabric follow. */
export const chains: Kind = {
  name: 'chains',
  setUp: `top=$PWD; ${firewallThatRuns('hop-a')}; ${firewallThatRuns('hop-b')}; ${firewallThatRuns('hop-c')}
    mkdir -p networks/lan networks/wan nf-types/host/client/ports/eth0 nf-types/host/server/ports/eth0 nf-types/router/r/ports/lan nf-types/router/r/ports/wan
    echo 10.78.1.0/24 > networks/lan/subnet; echo 10.78.2.0/24 > networks/wan/subnet; cd nf-types
    echo lan > host/client/ports/eth0/network; echo 10.78.1.10/24 > host/client/ports/eth0/address
    echo wan > host/server/ports/eth0/network; echo 10.78.2.10/24 > host/server/ports/eth0/address
    echo lan > router/r/ports/lan/network; echo 10.78.1.1/24 > router/r/ports/lan/address
    echo wan > router/r/ports/wan/network; echo 10.78.2.1/24 > router/r/ports/wan/address
    for v in host/client host/server router/r; do echo activate > $v/action; done
    mkdir ../chns/web; cd ../chns/web; ln -s $top/nf-types/firewall/hop-a a; ln -s $top/nf-types/firewall/hop-b b; ln -s $top/nf-types/firewall/hop-c c
    ln -s a start; ln -s ../b a/next; ln -s ../c b/next; echo lan > ingress; echo wan > egress; echo activate > action || { cat error >&2; false; }`,
  program: {
    language: 'bash',
    text: String.raw`
cd chns/web
hops() { text=$(grep -o 'hop-[abc]' path | uniq | tr '\n' ' '); }
edit() { # PATH COMMAND…
  local wanted=$1; shift
  say try "$wanted"
  until attempt "$@"; do more || return; done
  say ok "$wanted"
  attempt hops && expect path "$text" "$wanted"
}
ln -sfn ../b a/next; ln -sfn a start # a round that was cut may have left it otherwise
while more; do
  edit 'hop-a hop-c ' ln -sfn ../c a/next
  edit 'hop-a hop-b hop-c ' ln -sfn ../b a/next
  edit 'hop-b hop-c ' ln -sfn b start
  edit 'hop-a hop-b hop-c ' ln -sfn a start
done`,
  },
  async check(mount, said) {
    const path = await mount.run("grep -o 'hop-[abc]' chns/web/path | uniq | tr '\\n' ' '");
    const status = (await mount.run('cat chns/web/status')).trim();
    return [...differing('path', path.trim(), said), ...(status === 'active' ? [] : [`the service chain is ${status}`])];
  },
};

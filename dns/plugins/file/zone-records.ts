/** A zone's records by name, and what a query finds in them (RFC 1034 section 4.3.2, wildcards RFC 4592). */
import { emptyReply, type Reply, type ResourceRecord } from '../../message.ts';
import { isInZone, plainName } from '../../zone.ts';

type SoaRecord = Extract<ResourceRecord, { type: 'SOA' }>;

const MAX_ALIASES = 8;

export class ZoneRecords {
  readonly zone: string;
  /** As they stand in the file. */
  readonly records: readonly ResourceRecord[];
  private readonly soa: SoaRecord;
  private readonly byName = new Map<string, ResourceRecord[]>();

  /** The records hold one SOA of the zone. */
  constructor(zone: string, records: readonly ResourceRecord[]) {
    this.zone = zone;
    this.records = records;
    this.soa = records.find((record) => record.type === 'SOA') as SoaRecord;
    for (const record of records) {
      const own = this.nodeOf(plainName(record.name));
      own.push(record);
    }
  }

  /** What the zone itself knows; `alias` leads out of the zone and is the caller's to follow. */
  answer(name: string, type: string): { readonly reply: Reply; readonly alias?: string } {
    const answers: ResourceRecord[] = [];
    let asked = name;
    for (let hops = 0; hops < MAX_ALIASES; hops++) {
      const key = plainName(asked);
      const delegation = this.delegation(key, type);
      if (delegation !== undefined) return { reply: { ...delegation, answers } };
      const node = this.byName.get(key) ?? this.wildcard(key);
      if (node === undefined) return { reply: this.denial(answers.length > 0 ? 'NOERROR' : 'NXDOMAIN', answers) };
      const own = node.map((record) => ({ ...record, name: asked }) as ResourceRecord);
      const found = own.filter((record) => record.type === type);
      const alias = own.find((record) => record.type === 'CNAME');
      if (found.length > 0 || alias?.type !== 'CNAME') {
        answers.push(...found);
        if (found.length === 0) return { reply: this.denial('NOERROR', answers) };
        return { reply: { ...emptyReply('NOERROR', true), answers, additionals: this.glue(found) } };
      }
      answers.push(alias);
      asked = alias.data;
      if (!isInZone(plainName(asked), this.zone)) {
        return { reply: { ...emptyReply('NOERROR', true), answers }, alias: asked };
      }
    }
    return { reply: emptyReply('SERVFAIL', true) };
  }

  /** Every name between the zone and an owner exists too, without records. */
  private nodeOf(key: string): ResourceRecord[] {
    const known = this.byName.get(key);
    if (known !== undefined) return known;
    const node: ResourceRecord[] = [];
    this.byName.set(key, node);
    if (key !== this.zone && key.includes('.')) this.nodeOf(parentOf(key));
    return node;
  }

  /** A name below a zone cut belongs to the name servers there. */
  private delegation(key: string, type: string): Reply | undefined {
    for (let cut = key; cut !== this.zone && cut !== ''; cut = parentOf(cut)) {
      const servers = (this.byName.get(cut) ?? []).filter((record) => record.type === 'NS');
      if (servers.length === 0 || (cut === key && type === 'DS')) continue;
      return { ...emptyReply('NOERROR'), authorities: servers, additionals: this.glue(servers) };
    }
    return undefined;
  }

  /** `*` below the closest name that exists. */
  private wildcard(key: string): ResourceRecord[] | undefined {
    for (let closest = parentOf(key); isInZone(closest, this.zone); closest = parentOf(closest)) {
      if (this.byName.has(closest)) return this.byName.get(closest === '' ? '*' : `*.${closest}`);
      if (closest === '') return undefined;
    }
    return undefined;
  }

  private glue(records: readonly ResourceRecord[]): ResourceRecord[] {
    const targets = records.flatMap((record): string[] => {
      if (record.type === 'NS') return [record.data];
      if (record.type === 'MX') return [record.data.exchange];
      return record.type === 'SRV' ? [record.data.target] : [];
    });
    return [...new Set(targets.map(plainName))].flatMap((target) =>
      (this.byName.get(target) ?? []).filter(({ type }) => type === 'A' || type === 'AAAA'),
    );
  }

  /** RFC 2308 section 3: the SOA with the shorter of its own and its negative TTL. */
  private denial(rcode: 'NOERROR' | 'NXDOMAIN', answers: readonly ResourceRecord[]): Reply {
    const { ttl = 0, data } = this.soa;
    const soa = { ...this.soa, ttl: Math.min(ttl, data.minimum ?? ttl) };
    return { ...emptyReply(rcode, true), answers, authorities: [soa] };
  }
}

function parentOf(name: string): string {
  const dot = name.indexOf('.');
  return dot === -1 ? '' : name.slice(dot + 1);
}

/** The disk under the data directory, by what the kernel says of its block device. */
import type { DiskType, Sourced } from '../domain/index.ts';
import type { HostFiles } from './host-files.ts';

interface Mount {
  /** `major:minor` of the device; major 0 is none of its own (overlay, btrfs, zfs, tmpfs). */
  device: string;
  fileSystem: string;
  source: string;
}

/** Network disks that show themselves as NVMe or SCSI: what a cloud's block storage answers as its model. */
const networkDiskModels = /Amazon Elastic Block Store|nvme_card-pd|PersistentDisk/i;
/** Disks of a hypervisor, whose word on rotation is the hypervisor's default and no evidence. */
const virtualDiskModels = /QEMU|VBOX|Virtual/i;

const unknown = (source: string): Sourced<DiskType> => ({ value: null, source });

/** Where the data directory lies: its disk's type, and the device with its file system. */
export interface DiskFacts {
  type: Sourced<DiskType>;
  device: Sourced<string>;
}

/** Both, from one look at mountinfo. */
export async function diskOf(files: HostFiles, dataDirectory: string): Promise<DiskFacts> {
  const directory = await files.resolve(dataDirectory);
  const mount = mountOf((await files.read(`${files.process}/mountinfo`)) ?? '', directory);
  const type = await typeOf(files, directory, mount);
  if (mount === null) return { type, device: { value: null, source: type.source } };
  // A network file system's source names its server: nothing to carry around.
  const isDevice = mount.source.startsWith('/dev/');
  const value = isDevice ? `${mount.source.slice('/dev/'.length)} (${mount.fileSystem})` : mount.fileSystem;
  const source = `${files.process}/mountinfo (${files.source})`;
  return { type, device: { value, source } };
}

/** Disk type, from /sys; a value that a virtual disk is known to misreport is unknown. */
export async function diskTypeOf(files: HostFiles, dataDirectory: string): Promise<Sourced<DiskType>> {
  return (await diskOf(files, dataDirectory)).type;
}

async function typeOf(files: HostFiles, directory: string, mount: Mount | null): Promise<Sourced<DiskType>> {
  if (mount === null) return unknown(`no mount of ${directory} in mountinfo (${files.source})`);
  const folder = await deviceFolder(files, mount);
  if (folder === null) {
    return unknown(
      `${directory} is on ${mount.fileSystem} (${mount.source}), which is no disk that /sys knows (${files.source})`,
    );
  }
  const name = /^DEVNAME=(.+)$/m.exec((await files.read(`${folder.path}/uevent`)) ?? '')?.[1] ?? '';
  const what = `${folder.disk}/queue/rotational of ${name || mount.device} (${files.source})`;
  if (name.startsWith('loop')) return unknown(`${name} is a loop device: what is under it cannot be told`);
  const rotational = (await files.read(`${folder.disk}/queue/rotational`))?.trim();
  const model = ((await files.read(`${folder.disk}/device/model`)) ?? '').trim();
  if (networkDiskModels.test(model))
    return { value: 'san', source: `model ${model} of ${name} (${files.source})` };
  if (name.startsWith('nvme')) return { value: 'nvme', source: `device ${name} (${files.source})` };
  const virtual = /^(vd|xvd)/.test(name) || virtualDiskModels.test(model);
  if (rotational === '1' && virtual) {
    return unknown(`${what} says 1, but a virtual disk does not know`);
  }
  return {
    value: rotational === '1' ? 'hdd' : 'ssd',
    source: `${what} = ${rotational}${virtual ? ', a virtual disk' : ''}`,
  };
}

/** The device's folder in /sys, and that of the whole disk when it is a partition. */
async function deviceFolder(files: HostFiles, mount: Mount): Promise<{ path: string; disk: string } | null> {
  const candidates = [`/sys/dev/block/${mount.device}`];
  // btrfs gives each volume a number of its own; its source still names the device.
  const named = /^\/dev\/([\w!-]+)$/.exec(mount.source)?.[1];
  if (named !== undefined) candidates.push(`/sys/class/block/${named}`);
  for (const path of candidates) {
    for (const disk of [path, `${path}/..`]) {
      if ((await files.read(`${disk}/queue/rotational`)) !== null) return { path, disk };
    }
  }
  return null;
}

/** Blanks and backslashes are written in octal there. */
function unescaped(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The mount that a path is on: the longest mount point above it, the last of equals (it hides the others). */
function mountOf(mountinfo: string, path: string): Mount | null {
  let best: (Mount & { length: number }) | null = null;
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ');
    const [, , device, , rawPoint] = left?.split(' ') ?? [];
    const [fileSystem, source] = right?.split(' ') ?? [];
    if (!device || !rawPoint || !fileSystem || !source) continue;
    const point = unescaped(rawPoint);
    const within = point === '/' || path === point || path.startsWith(`${point}/`);
    if (within && point.length >= (best?.length ?? 0)) {
      best = { device, fileSystem, source: unescaped(source), length: point.length };
    }
  }
  return best;
}

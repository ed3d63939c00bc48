/** The same database under another role; the password is used where the server asks for one (containers). */
export function asRole(dsn: string, role: string, password: string): string {
  const name = encodeURIComponent(role);
  if (!dsn.includes('///')) return dsn.replace(/\/\/[^@]*@/, `//${name}:${password}@`);
  const url = new URL(dsn.replace('///', '//h/'));
  url.searchParams.set('user', role);
  return url.toString().replace('//h/', '///');
}

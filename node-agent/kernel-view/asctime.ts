/** asctime(3), in the time zone of the machine: `Sun Nov 29 06:27:12 2026`. */
export function asctime(date: Date): string {
  const [weekday, month, day, year, time] = date.toString().split(' ');
  return `${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`;
}

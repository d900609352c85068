using System.Globalization;

namespace Penstock.EndToEnd.Running;

/// <summary>What Linux says about a process: its memory, threads and sockets.</summary>
internal sealed record Vitals(long ResidentBytes, int Threads, int ClientSockets, int ProviderSockets)
{
    private const int Listening = 10;

    public override string ToString() => $"{ResidentBytes >> 20} MiB, {Threads} threads, {ClientSockets} sockets to clients, {ProviderSockets} to providers";

    /// <param name="port">The server's own port.</param>
    /// <param name="providerPort">The port of the provider it calls.</param>
    public static Vitals Of(int process, int port, int providerPort)
    {
        var status = File.ReadLines($"/proc/{process}/status").Select(line => line.Split(':', 2)).ToDictionary(pair => pair[0], pair => pair[1].Trim());
        var own = SocketsOf(process);
        var sockets = new[] { "tcp", "tcp6" }.SelectMany(kind => File.ReadLines($"/proc/{process}/net/{kind}").Skip(1)).Select(Socket.Parse).Where(socket => own.Contains(socket.Inode) && socket.State != Listening).ToArray();
        return new Vitals(
            long.Parse(status["VmRSS"].Split(' ')[0], CultureInfo.InvariantCulture) * 1024,
            int.Parse(status["Threads"], CultureInfo.InvariantCulture),
            sockets.Count(socket => socket.Local == port),
            sockets.Count(socket => socket.Remote == providerPort));
    }

    private static HashSet<string> SocketsOf(int process)
    {
        const string Prefix = "socket:[";
        var inodes = new HashSet<string>();
        foreach (var file in Directory.EnumerateFileSystemEntries($"/proc/{process}/fd"))
        {
            // A descriptor may be closed while we look.
            if (Target(file) is { } target && target.StartsWith(Prefix, StringComparison.Ordinal)) inodes.Add(target[Prefix.Length..^1]);
        }

        return inodes;
    }

    private static string? Target(string link)
    {
        try
        {
            return new FileInfo(link).LinkTarget;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private readonly record struct Socket(int Local, int Remote, int State, string Inode)
    {
        public static Socket Parse(string line)
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return new Socket(Port(fields[1]), Port(fields[2]), Convert.ToInt32(fields[3], 16), fields[9]);
        }

        private static int Port(string address) => Convert.ToInt32(address[(address.LastIndexOf(':') + 1)..], 16);
    }
}

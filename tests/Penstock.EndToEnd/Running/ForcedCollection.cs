using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace Penstock.EndToEnd.Running;

/// <summary>
/// Makes another .NET process collect all its garbage, through the diagnostics socket every runtime opens: a trace session with the
/// keyword that means "collect now" (github.com/dotnet/diagnostics, documentation/design-docs/ipc-protocol.md).
/// </summary>
internal static class ForcedCollection
{
    private const string Provider = "Microsoft-Windows-DotNETRuntime";
    private const ulong CollectNow = 0x800000;
    private const int Informational = 4;
    private const byte EventPipe = 2;
    private const byte CollectTracing2 = 3;
    private const byte StopTracing = 1;
    private const int HeaderLength = 20;

    public static async Task OfAsync(int process)
    {
        var path = Directory.EnumerateFiles(Path.GetTempPath(), $"dotnet-diagnostic-{process}-*-socket").Single();
        using var session = await ConnectAsync(path);
        await SendAsync(session, CollectTracing2, Tracing());
        var answer = await ReadAsync(session);
        // The collection is done when the session has begun; what it would tell is not read, only ended.
        using var stop = await ConnectAsync(path);
        await SendAsync(stop, StopTracing, answer);
        await Task.WhenAll(ReadAsync(stop), DrainAsync(session));
    }

    private static async Task<Socket> ConnectAsync(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), Wait.Token);
        return socket;
    }

    private static byte[] Tracing()
    {
        using var payload = new MemoryStream();
        using var writer = new BinaryWriter(payload, Encoding.Unicode);
        writer.Write(16u);
        writer.Write(1u);
        writer.Write(false);
        writer.Write(1u);
        writer.Write(CollectNow);
        writer.Write((uint)Informational);
        writer.Write((uint)Provider.Length + 1);
        writer.Write(Encoding.Unicode.GetBytes(Provider + '\0'));
        writer.Write(0u);
        return payload.ToArray();
    }

    private static async Task SendAsync(Socket socket, byte command, byte[] payload)
    {
        var message = new byte[HeaderLength + payload.Length];
        Encoding.ASCII.GetBytes("DOTNET_IPC_V1\0").CopyTo(message, 0);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(14), (ushort)message.Length);
        (message[16], message[17]) = (EventPipe, command);
        payload.CopyTo(message, HeaderLength);
        await socket.SendAsync(message, Wait.Token);
    }

    /// <summary>The session's id, which is all that an answer that succeeded holds.</summary>
    private static async Task<byte[]> ReadAsync(Socket socket)
    {
        const int Id = 8;
        var answer = new byte[HeaderLength + Id];
        for (var read = 0; read < answer.Length;)
        {
            var count = await socket.ReceiveAsync(answer.AsMemory(read), SocketFlags.None, Wait.Token);
            if (count == 0) throw new InvalidOperationException($"The runtime's diagnostics refused: {Convert.ToHexString(answer)}");
            read += count;
        }

        if (answer[17] != 0) throw new InvalidOperationException($"The runtime's diagnostics answered {Convert.ToHexString(answer)}");
        return answer[HeaderLength..];
    }

    private static async Task DrainAsync(Socket socket)
    {
        var buffer = new byte[64 * 1024];
        while (await socket.ReceiveAsync(buffer, SocketFlags.None, Wait.Token) > 0)
        {
        }
    }
}

namespace Penstock.Aws.EventStreams;

/// <summary>CRC-32 as in IEEE 802.3 and zlib.</summary>
internal static class Crc32
{
    private static readonly uint[] Table = Make();

    /// <param name="before">The sum of what came before, to go on from it.</param>
    public static uint Of(ReadOnlySpan<byte> bytes, uint before = 0)
    {
        var sum = ~before;
        foreach (var each in bytes) sum = Table[(byte)(sum ^ each)] ^ (sum >> 8);
        return ~sum;
    }

    private static uint[] Make()
    {
        var table = new uint[256];
        for (uint i = 0; i < table.Length; i++)
        {
            var sum = i;
            for (var bit = 0; bit < 8; bit++) sum = (sum & 1) == 0 ? sum >> 1 : (sum >> 1) ^ 0xEDB88320;
            table[i] = sum;
        }

        return table;
    }
}

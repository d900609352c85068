using System.Net;
using System.Net.Sockets;

namespace Penstock.Tools.Fetch;

/// <summary>Which addresses belong to everybody: none of this machine, of a private network, of a cloud's metadata, or that stands for another address.</summary>
/// <seealso href="https://www.iana.org/assignments/iana-ipv4-special-registry"/>
/// <seealso href="https://www.iana.org/assignments/iana-ipv6-special-registry"/>
internal static class PublicAddress
{
    private static readonly IPNetwork[] Never4 =
    [
        IPNetwork.Parse("0.0.0.0/8"), IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("100.64.0.0/10"), IPNetwork.Parse("127.0.0.0/8"), IPNetwork.Parse("169.254.0.0/16"),
        IPNetwork.Parse("172.16.0.0/12"), IPNetwork.Parse("192.0.0.0/24"), IPNetwork.Parse("192.0.2.0/24"), IPNetwork.Parse("192.88.99.0/24"), IPNetwork.Parse("192.168.0.0/16"),
        IPNetwork.Parse("198.18.0.0/15"), IPNetwork.Parse("198.51.100.0/24"), IPNetwork.Parse("203.0.113.0/24"), IPNetwork.Parse("224.0.0.0/4"), IPNetwork.Parse("240.0.0.0/4"),
        // Azure's own services answer every virtual machine here.
        IPNetwork.Parse("168.63.129.16/32"),
    ];

    private static readonly IPNetwork Global6 = IPNetwork.Parse("2000::/3");

    /// <summary>Within <see cref="Global6"/>: protocols' own (Teredo, ORCHID), documentation, and 6to4, which stands for an IPv4 address.</summary>
    private static readonly IPNetwork[] Never6 = [IPNetwork.Parse("2001::/23"), IPNetwork.Parse("2001:db8::/32"), IPNetwork.Parse("2002::/16"), IPNetwork.Parse("3fff::/20")];

    public static bool Is(IPAddress address)
    {
        // An IPv4 address in IPv6's clothes is that address. NAT64 (64:ff9b::/96) and what else stands for one lies outside of 2000::/3.
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        return address.AddressFamily == AddressFamily.InterNetwork
            ? !Array.Exists(Never4, network => network.Contains(address))
            : Global6.Contains(address) && !Array.Exists(Never6, network => network.Contains(address));
    }
}
